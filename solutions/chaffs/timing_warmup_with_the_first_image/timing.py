def time_online(predict, images, *, warmup=3, clock=time.perf_counter):
    """The images are to come in order."""
    for _ in range(warmup):
        np.asarray(predict(images[:1]))
    start = clock()
    for first in range(len(images)):
        np.asarray(predict(images[first : first + 1]))
    total_s = clock() - start
    return Timing(len(images), 1, total_s, 1000 * total_s / len(images), len(images) / total_s)
