def time_online(predict, images, *, warmup=3, clock=time.perf_counter):
    """Divides the wrong way round."""
    for call in range(warmup):
        np.asarray(predict(images[call % len(images)][np.newaxis]))
    start = clock()
    for image in images:
        np.asarray(predict(image[np.newaxis]))
    total_s = clock() - start
    return Timing(len(images), 1, total_s, 1000 * total_s / len(images), total_s / len(images))
