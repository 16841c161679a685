"""Other work on the machine: busy cores and little free memory, so that what depends on either shows."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np

from grader import capacity
from grader.child import begin

LEFT_BYTES: Final = 4 * 2**30
"""Memory that stays free under load: a grader with its zygote and workers takes 1 GiB, and two of them grade side by side."""

SIZE: Final = 192
"""Side of the matrices that keep a core busy: their product takes under a millisecond, so the load comes and goes in small parts."""


@contextmanager
def load(*, cores: int | None = None, left_bytes: int = LEFT_BYTES) -> Iterator[None]:
    """Keeps cores busy and memory taken while the context lasts.

    Args:
        cores: How many busy processes; by default one for each core.
        left_bytes: Memory to leave free.
    """
    context = multiprocessing.get_context("spawn")
    targets = [context.Process(target=_busy, daemon=True) for _ in range(cores or capacity.cores())]
    taken = capacity.free_memory() - left_bytes
    if taken > 0:
        targets.append(context.Process(target=_hold, args=(taken,), daemon=True))
    for process in targets:
        process.start()
    try:
        yield
    finally:
        for process in targets:
            process.kill()
            process.join()


def _busy() -> None:
    begin()
    matrix = np.full((SIZE, SIZE), 1 / SIZE)
    while True:
        matrix = matrix @ matrix
        sum(range(20_000))  # Python's own work too, not only a library's threads


def _hold(count: int) -> None:
    begin()
    kept = np.ones(count // 8, np.int64)  # written to, so that it is really taken
    multiprocessing.Event().wait()
    del kept
