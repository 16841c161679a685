def time_batches(predict, images, batch_size, *, warmup=3, clock=time.perf_counter):
    """Another batch size is other work for TensorFlow."""
    batches = [images[first : first + batch_size] for first in range(0, len(images), batch_size)]
    for _ in range(warmup):
        np.asarray(predict(images[:1]))
    start = clock()
    for batch in batches:
        np.asarray(predict(batch))
    total_s = clock() - start
    calls = len(batches)
    return Timing(len(images), batch_size, total_s, 1000 * total_s / calls, len(images) / total_s)
