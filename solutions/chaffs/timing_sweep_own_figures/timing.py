def batch_sweep(predict, images, batch_sizes=(20, 40, 100, 200), *, warmup=3, clock=time.perf_counter):
    """Measure here, and divide by the images."""
    timings = []
    for batch_size in batch_sizes:
        batches = [images[first : first + batch_size] for first in range(0, len(images), batch_size)]
        for _ in range(warmup):
            np.asarray(predict(batches[0]))
        start = clock()
        for batch in batches:
            np.asarray(predict(batch))
        total_s = clock() - start
        timings.append(Timing(len(images), batch_size, total_s, 1000 * total_s / len(images), len(images) / total_s))
    return timings
