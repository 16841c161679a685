def online_sweep(predict, images, counts=(10, 100, 1000), *, warmup=3, clock=time.perf_counter):
    """Goes on where the last measurement ended."""
    timings = []
    first = 0
    for count in counts:
        part = np.take(images, np.arange(first, first + count) % len(images), axis=0)
        timings.append(time_online(predict, part, warmup=warmup, clock=clock))
        first += count
    return timings
