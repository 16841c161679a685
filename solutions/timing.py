"""Section 4, timing: latency and throughput, measured so that the figures mean something.

Latency is how long one call takes; throughput is how many images are done in a second. Online inference gives the model one image a
call; batch inference gives it many, and pays the cost of a call once for all of them.

A measurement here is always

    warm-up calls   |   start = clock()   call, wait, call, wait, ...   end = clock()   |   figures

with nothing else between the two readings of the clock: no reading of files, no printing, no tracing.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


class Timing(NamedTuple):
    """One measurement."""

    count: int
    """Images that went through the model inside the timed region."""
    batch_size: int
    """Images a call; the last call may have had fewer."""
    total_s: float
    """Time from the first reading of the clock to the last, in seconds."""
    latency_ms: float
    """Time of one call, on average: total_s / calls, in milliseconds."""
    images_per_second: float
    """Throughput: count / total_s."""


def time_online(
    predict: Callable[[np.ndarray], object],
    images: np.ndarray,
    *,
    warmup: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Time online inference: one image a call, each result waited for before the next call.

    predict may return before its work is done; np.asarray(result) waits for it. Warm-up calls also take one image each and
    are waited for; they lie before the first reading of the clock.

    Args:
        predict: Takes a batch (1, height, width, 3) float32, gives a result for it.
        images: (n, height, width, 3) float32 of any height and width, n at least 1. Each is timed exactly once, in order.
        warmup: Number of warm-up calls, 0 or more. They take the images in order, from the first again when they run out.
        clock: Gives the time in seconds. Read it twice.

    Returns:
        The measurement, with count n and batch_size 1.
    """
    # >>> your code
    for call in range(warmup):
        first = call % len(images)
        np.asarray(predict(images[first : first + 1]))
    start = clock()
    for first in range(len(images)):
        np.asarray(predict(images[first : first + 1]))
    total_s = clock() - start
    return Timing(
        count=len(images),
        batch_size=1,
        total_s=total_s,
        latency_ms=1000 * total_s / len(images),
        images_per_second=len(images) / total_s,
    )
    # <<< your code


def time_batches(
    predict: Callable[[np.ndarray], object],
    images: np.ndarray,
    batch_size: int,
    *,
    warmup: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Time batch inference: batch_size images a call, each result waited for before the next call.

    Like time_online, but with larger calls. When batch_size does not divide n, the last call takes the images that are left. Warm-up calls
    are full batches of the same size (or all images, if there are fewer): another size is other work for TensorFlow.

    Args:
        predict: Takes a batch (b, height, width, 3), gives a result for it.
        images: (n, height, width, 3) float32 of any height and width, n at least 1. Each is timed exactly once, in order.
        batch_size: Images a call, at least 1.
        warmup: Number of warm-up calls, 0 or more. They take the full batches in order, from the first again when they run out.
        clock: Gives the time in seconds. Read it twice.

    Returns:
        The measurement, with count n. Its latency is that of a call, not of an image.
    """
    # >>> your code
    batches = [images[first : first + batch_size] for first in range(0, len(images), batch_size)]
    full = [batch for batch in batches if len(batch) == batch_size] or batches
    for call in range(warmup):
        np.asarray(predict(full[call % len(full)]))
    start = clock()
    for batch in batches:
        np.asarray(predict(batch))
    total_s = clock() - start
    return Timing(
        count=len(images),  # not len(batches) * batch_size: the last batch may be smaller
        batch_size=batch_size,
        total_s=total_s,
        latency_ms=1000 * total_s / len(batches),
        images_per_second=len(images) / total_s,
    )
    # <<< your code


def online_sweep(
    predict: Callable[[np.ndarray], object],
    images: np.ndarray,
    counts: Sequence[int] = (10, 100, 1000),
    *,
    warmup: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Timing]:
    """Time online inference for several numbers of images.

    Args:
        predict: As in time_online.
        images: (n, height, width, 3), n at least the largest count.
        counts: Numbers of images; each measurement takes the first count images. One that comes twice is measured twice.
        warmup: Warm-up calls before each measurement, as in time_online.
        clock: As in time_online.

    Returns:
        One measurement a count, in the order of counts.
    """
    # >>> your code
    return [time_online(predict, images[:count], warmup=warmup, clock=clock) for count in counts]
    # <<< your code


def batch_sweep(
    predict: Callable[[np.ndarray], object],
    images: np.ndarray,
    batch_sizes: Sequence[int] = (20, 40, 100, 200),
    *,
    warmup: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Timing]:
    """Time batch inference at several batch sizes, on the same images each time.

    Args:
        predict: As in time_batches.
        images: (n, height, width, 3), n at least 1; every measurement takes all of them.
        batch_sizes: Images a call. One may be larger than n, and one that comes twice is measured twice.
        warmup: Warm-up calls before each measurement, as in time_batches.
        clock: As in time_batches.

    Returns:
        One measurement a batch size, in the order of batch_sizes.
    """
    # >>> your code
    return [time_batches(predict, images, batch_size, warmup=warmup, clock=clock) for batch_size in batch_sizes]
    # <<< your code
