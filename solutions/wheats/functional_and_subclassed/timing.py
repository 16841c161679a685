from contextlib import contextmanager
from itertools import cycle, islice


class _Stopwatch:
    def __init__(self, clock):
        self.clock = clock
        self.total_s = 0.0

    @contextmanager
    def running(self):
        start = self.clock()
        yield self
        self.total_s = self.clock() - start


def time_online(predict, images, *, warmup=3, clock=None):
    """Wait with .numpy(); the clock is chosen when it is needed."""
    watch = _Stopwatch(clock or time.perf_counter)
    for image in islice(cycle(images), warmup):
        predict(image[None]).numpy()
    with watch.running():
        for image in images:
            predict(image[None]).numpy()
    count = len(images)
    return Timing(count, 1, watch.total_s, watch.total_s / count * 1000.0, count / watch.total_s)


def time_batches(predict, images, batch_size, *, warmup=3, clock=None):
    """Make the warm-up calls, then wait for all of them; wait for each timed one."""
    watch = _Stopwatch(clock or time.perf_counter)
    batches = list(_batches(images, batch_size))
    for result in [predict(batches[0]) for _ in range(warmup)]:
        result.numpy()
    with watch.running():
        for batch in batches:
            predict(batch).numpy()
    count = sum(map(len, batches))
    return Timing(count, batch_size, watch.total_s, watch.total_s / len(batches) * 1000.0, count / watch.total_s)


def _batches(images, batch_size):
    while len(images):
        yield images[:batch_size]
        images = images[batch_size:]


def online_sweep(predict, images, counts=(10, 100, 1000), *, warmup=3, clock=None):
    """A list that is filled in place."""
    timings = [None] * len(counts)
    for place, count in enumerate(counts):
        timings[place] = time_online(predict, images[:count], warmup=warmup, clock=clock)
    return timings


def batch_sweep(predict, images, batch_sizes=(20, 40, 100, 200), *, warmup=3, clock=None):
    """A list that is filled in place."""
    timings = [None] * len(batch_sizes)
    for place, batch_size in enumerate(batch_sizes):
        timings[place] = time_batches(predict, images, batch_size, warmup=warmup, clock=clock)
    return timings
