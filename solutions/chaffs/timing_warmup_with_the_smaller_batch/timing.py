def time_batches(predict, images, batch_size, *, warmup=3, clock=time.perf_counter):
    """Warm up with the batches that will be timed, one after the other."""
    batches = [images[first : first + batch_size] for first in range(0, len(images), batch_size)]
    for call in range(warmup):
        np.asarray(predict(batches[call % len(batches)]))
    start = clock()
    for batch in batches:
        np.asarray(predict(batch))
    total_s = clock() - start
    return Timing(len(images), batch_size, total_s, 1000 * total_s / len(batches), len(images) / total_s)
