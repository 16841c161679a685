def time_online(predict, images, *, warmup=3, clock=time.perf_counter):
    """Makes all calls first."""
    for call in range(warmup):
        np.asarray(predict(images[call % len(images)][np.newaxis]))
    start = clock()
    results = [predict(image[np.newaxis]) for image in images]
    np.concatenate([np.asarray(result) for result in results])
    total_s = clock() - start
    return Timing(len(images), 1, total_s, 1000 * total_s / len(images), len(images) / total_s)
