def time_online(predict, images, *, warmup=3, clock=time.monotonic):
    """Split into batches of one; NumPy does the arithmetic."""
    return _measure(predict, np.split(images, len(images)), 1, warmup, clock)


def time_batches(predict, images, batch_size, *, warmup=3, clock=time.monotonic):
    """Split where a batch ends; np.split keeps the smaller last part."""
    return _measure(predict, np.split(images, np.arange(batch_size, len(images), batch_size)), batch_size, warmup, clock)


def _measure(predict, batches, batch_size, warmup, clock):
    for batch in np.resize(np.arange(max(1, len(batches) - 1)), warmup):
        np.array(predict(batches[batch]))
    edges = [clock()]
    for batch in batches:
        np.array(predict(batch))
    edges.append(clock())
    total_s = np.diff(edges).sum()
    count = np.sum([len(batch) for batch in batches])
    return {
        "count": count,
        "batch_size": np.int64(batch_size),
        "total_s": total_s,
        "latency_ms": np.divide(total_s, len(batches)) * 1e3,
        "images_per_second": np.float64(count) / total_s,
    }


def online_sweep(predict, images, counts=(10, 100, 1000), *, warmup=3, clock=time.monotonic):
    """A tuple of mappings."""
    return tuple(time_online(predict, images[np.arange(count)], warmup=warmup, clock=clock) for count in counts)


def batch_sweep(predict, images, batch_sizes=(20, 40, 100, 200), *, warmup=3, clock=time.monotonic):
    """A tuple of mappings."""
    return tuple(time_batches(predict, images, batch_size, warmup=warmup, clock=clock) for batch_size in batch_sizes)
