"""Processes that grade side by side, each with a warm zygote of its own."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from itertools import islice
from typing import Final

from grader.host.launch import Launcher
from grader.host.launch import launcher as make_launcher
from grader.validate.trial import Plan, Trial, run

_mine: list[Launcher] = []
"""This process's launcher, once it is needed; the zygote ends when the process does."""

AHEAD: Final = 4
"""Plans that are handed over for each process: enough to keep it busy, few enough to stop soon."""


def run_all(plans: Sequence[Plan], processes: int) -> Iterator[Trial]:
    """Grades plans, several at a time.

    Args:
        plans: What to grade.
        processes: How many at a time.

    Yields:
        The trials as they end, in any order.
    """
    waiting = iter(plans)
    # Spawned: a fork of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(plans)) or 1, mp_context=context, initializer=_begin) as pool:
        try:
            open_ = {pool.submit(_run, plan) for plan in islice(waiting, AHEAD * processes)}
            while open_:
                done, open_ = wait(open_, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
                open_ |= {pool.submit(_run, plan) for plan in islice(waiting, len(done))}
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that hands out the work


def _run(plan: Plan) -> Trial:
    if not _mine:
        _mine.append(make_launcher())
    return run(plan, _mine[0])
