def time_batches(predict, images, batch_size, *, warmup=3, clock=time.perf_counter):
    """Wait at the end."""
    batches = [images[first : first + batch_size] for first in range(0, len(images), batch_size)]
    for _ in range(warmup):
        np.asarray(predict(batches[0]))
    start = clock()
    results = [predict(batch) for batch in batches]
    for result in results:
        np.asarray(result)
    total_s = clock() - start
    return Timing(len(images), batch_size, total_s, 1000 * total_s / len(batches), len(images) / total_s)
