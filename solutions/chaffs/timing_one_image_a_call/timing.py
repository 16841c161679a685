def time_batches(predict, images, batch_size, *, warmup=3, clock=time.perf_counter):
    """Goes through each batch image by image."""
    for call in range(warmup):
        np.asarray(predict(images[call % len(images)][np.newaxis]))
    start = clock()
    for first in range(0, len(images), batch_size):
        for image in images[first : first + batch_size]:
            np.asarray(predict(image[np.newaxis]))
    total_s = clock() - start
    calls = -(-len(images) // batch_size)
    return Timing(len(images), batch_size, total_s, 1000 * total_s / calls, len(images) / total_s)
