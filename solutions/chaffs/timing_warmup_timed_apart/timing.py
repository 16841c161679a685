def time_online(predict, images, *, warmup=3, clock=time.perf_counter):
    """Who wants to know how long the warm-up takes?"""
    warmup_start = clock()
    for call in range(warmup):
        first = call % len(images)
        np.asarray(predict(images[first : first + 1]))
    print(f"warm-up: {clock() - warmup_start:.3f} s")
    start = clock()
    for first in range(len(images)):
        np.asarray(predict(images[first : first + 1]))
    total_s = clock() - start
    return Timing(len(images), 1, total_s, 1000 * total_s / len(images), len(images) / total_s)
