def batch_sweep(predict, images, batch_sizes=(20, 40, 100, 200), *, warmup=3, clock=time.perf_counter):
    """Writes the batch size down, but does not pass it on."""
    timings = [time_batches(predict, images, batch_sizes[0], warmup=warmup, clock=clock) for _ in batch_sizes]
    return [timing._replace(batch_size=batch_size) for timing, batch_size in zip(timings, batch_sizes, strict=True)]
