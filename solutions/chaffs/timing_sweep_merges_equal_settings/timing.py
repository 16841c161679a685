def online_sweep(predict, images, counts=(10, 100, 1000), *, warmup=3, clock=time.perf_counter):
    """A dict by count."""
    timings = {count: time_online(predict, images[:count], warmup=warmup, clock=clock) for count in counts}
    return list(timings.values())
