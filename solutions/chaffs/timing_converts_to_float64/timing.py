def time_online(predict, images, *, warmup=3, clock=time.perf_counter):
    """Hand each image on in double precision."""
    for call in range(warmup):
        np.asarray(predict(images[call % len(images)][np.newaxis].astype(np.float64)))
    start = clock()
    for image in images:
        np.asarray(predict(image[np.newaxis].astype(np.float64)))
    total_s = clock() - start
    return Timing(len(images), 1, total_s, 1000 * total_s / len(images), len(images) / total_s)
