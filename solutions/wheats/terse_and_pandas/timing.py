def _time(predict, images, size, warmup, clock):
    def run(firsts):
        for first in firsts:
            float(predict(images[first : first + size])[0][0])

    full = range(0, max(1, len(images) - size + 1), size)
    run(full[call % len(full)] for call in range(warmup))
    start = clock()
    run(range(0, len(images), size))
    end = clock()
    seconds, calls = end - start, -(-len(images) // size)
    return dict(zip(Timing._fields, (len(images), size, seconds, 1e3 * seconds / calls, len(images) / seconds), strict=True))


def time_online(predict, images, *, warmup=3, clock=time.perf_counter):
    """A batch size of one."""
    return _time(predict, images, 1, warmup, clock)


def time_batches(predict, images, batch_size, *, warmup=3, clock=time.perf_counter):
    """The same with another size."""
    return _time(predict, images, batch_size, warmup, clock)


def online_sweep(predict, images, counts=(10, 100, 1000), *, warmup=3, clock=time.perf_counter):
    """One line."""
    return [_time(predict, images[:count], 1, warmup, clock) for count in counts]


def batch_sweep(predict, images, batch_sizes=(20, 40, 100, 200), *, warmup=3, clock=time.perf_counter):
    """One line."""
    return [_time(predict, images, size, warmup, clock) for size in batch_sizes]
