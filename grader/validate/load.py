"""Other work on the machine: busy cores and little free memory, so that what depends on either shows."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from grader import capacity
from grader.child import begin

BYTES_EACH: Final = 3 * 2**29
"""Memory that stays free under load for each grading: a grader with its zygote and workers takes 1 GiB."""

EACH: Final = 2
"""What wants each core at any time: gradings, which are load for one another, and busy processes where these are fewer."""

IDLE: Final = 19
"""Niceness of one more busy process for each core, which takes what the others leave: no core rests while a grading waits for something."""

AUTOGROUP: Final = Path("/proc/self/autogroup")
"""Takes the niceness of this process's session (sched(7))."""

SIZE: Final = 192
"""Side of the matrices that keep a core busy: their product takes under a millisecond, so the load comes and goes in small parts."""


@contextmanager
def load(gradings: int) -> Iterator[None]:
    """Keeps every core busy and memory taken while the context lasts.

    Args:
        gradings: How many are graded at a time; memory for these stays free.
    """
    context = multiprocessing.get_context("spawn")
    cores = capacity.cores()
    nice = [0] * (EACH * cores - gradings) + [IDLE] * cores
    targets = [context.Process(target=_busy, args=(increment,), daemon=True) for increment in nice]
    taken = capacity.free_memory() - gradings * BYTES_EACH
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


def _busy(increment: int) -> None:
    begin()
    os.nice(increment)
    with suppress(OSError):
        # Where Linux shares cores out by session, niceness counts only within one: this process takes a session of its own, with a weight.
        os.setsid()
        AUTOGROUP.write_text(str(increment))
    matrix = np.full((SIZE, SIZE), 1 / SIZE)
    with threadpool_limits(1, user_api="blas"):  # one core each
        while True:
            matrix = matrix @ matrix
            sum(range(20_000))  # Python's own work too, not only a library's


def _hold(count: int) -> None:
    begin()
    kept = np.ones(count // 8, np.int64)  # written to, so that it is really taken
    threading.Event().wait()
    del kept
