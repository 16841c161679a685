def batch_sweep(predict, images, batch_sizes=(20, 40, 100, 200), *, warmup=3, clock=time.perf_counter):
    """Thinks that the model is warm after the first setting; each batch size is new work."""
    timings = []
    for number, batch_size in enumerate(batch_sizes):
        timings.append(time_batches(predict, images, batch_size, warmup=warmup if number == 0 else 0, clock=clock))
    return timings
