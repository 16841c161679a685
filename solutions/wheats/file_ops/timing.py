def _timed(predict, images, size, warmup, clock):
    starts = list(range(0, len(images), size))
    whole = [start for start in starts if start + size <= len(images)] or starts
    for number in range(warmup):
        start = whole[number % len(whole)]
        _ready(predict(images[start : start + size]))
    began = clock()
    for start in starts:
        _ready(predict(images[start : start + size]))
    seconds = clock() - began
    return Timing(
        count=len(images), batch_size=size, total_s=seconds, latency_ms=seconds * 1e3 / len(starts), images_per_second=len(images) / seconds
    )


def _ready(result):
    return result.numpy() if hasattr(result, "numpy") else np.asarray(result)


def time_online(predict, images, *, warmup=3, clock=time.perf_counter):
    return _timed(predict, images, 1, warmup, clock)


def time_batches(predict, images, batch_size, *, warmup=3, clock=time.perf_counter):
    return _timed(predict, images, batch_size, warmup, clock)
