def online_sweep(predict, images, counts=(10, 100, 1000), *, warmup=3, clock=time.perf_counter):
    """The images are shuffled before each measurement."""
    rng = np.random.default_rng(0)
    return [time_online(predict, rng.permutation(images)[:count], warmup=warmup, clock=clock) for count in counts]
