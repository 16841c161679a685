def time_online(predict, images, *, warmup=3, clock=time.perf_counter):
    for call in range(warmup):
        np.asarray(predict(images[call % len(images)][np.newaxis]))
    start = clock()
    for image in images:
        assert predict(image[np.newaxis]).shape[0] == 1
    total_s = clock() - start
    return Timing(len(images), 1, total_s, 1000 * total_s / len(images), len(images) / total_s)
