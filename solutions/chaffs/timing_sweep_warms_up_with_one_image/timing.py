def online_sweep(predict, images, counts=(10, 100, 1000), *, warmup=3, clock=time.perf_counter):
    """Its own warm-up, before measurements without one."""
    timings = []
    for count in counts:
        for _ in range(warmup):
            np.asarray(predict(images[:1]))
        timings.append(time_online(predict, images[:count], warmup=0, clock=clock))
    return timings
