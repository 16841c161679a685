def _now():
    import datetime

    return datetime.datetime.now().timestamp()


def time_online(predict, images, *, warmup=3, clock=_now):
    """Measures in the seconds of the day."""
    for call in range(warmup):
        first = call % len(images)
        np.asarray(predict(images[first : first + 1]))
    start = clock()
    for first in range(len(images)):
        np.asarray(predict(images[first : first + 1]))
    total_s = clock() - start
    return Timing(len(images), 1, total_s, 1000 * total_s / len(images), len(images) / total_s)
