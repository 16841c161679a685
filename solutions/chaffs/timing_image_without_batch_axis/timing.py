def time_online(predict, images, *, warmup=3, clock=time.perf_counter):
    """Passes images one by one as they are."""
    for call in range(warmup):
        np.asarray(predict(images[call % len(images)]))
    start = clock()
    for image in images:
        np.asarray(predict(image))
    total_s = clock() - start
    return Timing(len(images), 1, total_s, 1000 * total_s / len(images), len(images) / total_s)
