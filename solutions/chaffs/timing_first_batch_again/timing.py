def time_batches(predict, images, batch_size, *, warmup=3, clock=time.perf_counter):
    """Slices with a bound that never moves."""
    batches = [images[first : first + batch_size] for first in range(0, len(images), batch_size)]
    for call in range(warmup):
        np.asarray(predict(batches[call % max(1, len(images) // batch_size)]))
    start = clock()
    for batch in batches:
        np.asarray(predict(images[: len(batch)]))
    total_s = clock() - start
    calls = len(batches)
    return Timing(len(images), batch_size, total_s, 1000 * total_s / calls, len(images) / total_s)
