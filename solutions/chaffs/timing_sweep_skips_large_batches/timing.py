def batch_sweep(predict, images, batch_sizes=(20, 40, 100, 200), *, warmup=3, clock=time.perf_counter):
    """A batch of all images is a measurement too."""
    sizes = [size for size in batch_sizes if size <= len(images)]
    return [time_batches(predict, images, size, warmup=warmup, clock=clock) for size in sizes]
