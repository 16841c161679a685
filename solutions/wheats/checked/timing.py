import contextlib
import dataclasses
import logging
from collections.abc import Iterator

log = logging.getLogger("lab.timing")


@dataclasses.dataclass
class Stopwatch:
    """Holds what a clock said at both ends of a block."""

    clock: Callable[[], float]
    seconds: float = 0.0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Times the block."""
        begin = self.clock()
        try:
            yield
        finally:
            self.seconds = self.clock() - begin


def _check(predict, images, batch_size, warmup) -> None:
    if not callable(predict):
        raise ValueError("predict must be callable")
    if getattr(images, "ndim", 0) != 4 or not len(images):
        raise ValueError("images must be (n, height, width, 3) with n >= 1")
    if batch_size < 1 or warmup < 0:
        raise ValueError("batch_size must be >= 1 and warmup >= 0")


def _measure(predict, images, batch_size, warmup, clock):
    _check(predict, images, batch_size, warmup)
    batches = np.split(images, range(batch_size, len(images), batch_size))
    full = [batch for batch in batches if len(batch) == min(batch_size, len(images))]
    for number in range(warmup):
        np.asarray(predict(full[number % len(full)]))
        log.debug("warm-up %d done", number)
    watch = Stopwatch(clock)
    with watch.running():
        for batch in batches:
            np.asarray(predict(batch))
    log.info("%d images took %.3f s", len(images), watch.seconds)
    return Timing(len(images), batch_size, watch.seconds, watch.seconds / len(batches) * 1000.0, len(images) / watch.seconds)


def time_online(predict, images, *, warmup: int = 3, clock=time.perf_counter) -> Timing:
    return _measure(predict, images, 1, warmup, clock)


def time_batches(predict, images, batch_size: int, *, warmup: int = 3, clock=time.perf_counter) -> Timing:
    return _measure(predict, images, batch_size, warmup, clock)


def online_sweep(predict, images, counts=(10, 100, 1000), *, warmup: int = 3, clock=time.perf_counter) -> list[Timing]:
    if max(counts) > len(images):
        raise ValueError(f"{max(counts)} images are asked for, {len(images)} are there")
    return [_measure(predict, images[:count], 1, warmup, clock) for count in counts]
