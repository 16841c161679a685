def time_online(predict, images, *, warmup=3, clock=time.perf_counter):
    for call in range(warmup):
        np.asarray(predict(images[call % len(images)][np.newaxis]))
    start = clock()
    for image in images:
        np.asarray(predict(image[np.newaxis]))
        print(".", end="")
    total_s = clock() - start
    print()
    return Timing(len(images), 1, total_s, 1000 * total_s / len(images), len(images) / total_s)
