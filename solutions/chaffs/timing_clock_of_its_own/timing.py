def time_online(predict, images, *, warmup=3, clock=time.perf_counter):
    """Reads time.perf_counter directly."""
    for call in range(warmup):
        np.asarray(predict(images[call % len(images)][np.newaxis]))
    start = time.perf_counter()
    for image in images:
        np.asarray(predict(image[np.newaxis]))
    total_s = time.perf_counter() - start
    return Timing(len(images), 1, total_s, 1000 * total_s / len(images), len(images) / total_s)
