def batch_sweep(predict, images, batch_sizes=(20, 40, 100, 200), *, warmup=3, clock=time.perf_counter):
    """Largest batch first."""
    return [time_batches(predict, images, size, warmup=warmup, clock=clock) for size in sorted(batch_sizes, reverse=True)]
