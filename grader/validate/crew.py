"""Processes that grade side by side, each with a warm zygote of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.queues import SimpleQueue
from typing import Final

from grader import capacity
from grader.child import begin
from grader.host.launch import Launcher
from grader.host.launch import launcher as make_launcher
from grader.validate.trial import Plan, Trial, run

_mine: list[Launcher] = []
"""This process's launcher, once it is needed; the zygote ends when the process does."""

AHEAD: Final = 4
"""Plans that are handed over for each process: enough to keep it busy, few enough to stop soon."""


PATIENCE: Final = 3
"""How often processes that were killed from outside are started anew."""


def run_all(plans: Sequence[Plan], processes: int) -> Iterator[Trial]:
    """Grades plans, several at a time.

    Args:
        plans: What to grade.
        processes: How many at a time.

    Yields:
        The trials as they end, in any order.

    Raises:
        BrokenProcessPool: The processes were killed again and again.
    """
    processes = min(processes, len(plans)) or 1
    left = dict(enumerate(plans))
    for attempt in range(PATIENCE):
        try:
            for number, trial in _run_once(left, processes):
                del left[number]
                yield trial
            return
        except BrokenProcessPool:
            if attempt + 1 == PATIENCE:
                raise


def _run_once(left: Mapping[int, Plan], processes: int) -> Iterator[tuple[int, Trial]]:
    waiting = iter(list(left.items()))
    # Spawned: a fork of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    threads = max(1, capacity.cores() // processes)
    shares = context.SimpleQueue()
    for share in capacity.shares(processes):
        shares.put(share)
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(shares,)) as pool:
        try:
            open_ = {pool.submit(_run, plan, threads): number for number, plan in islice(waiting, AHEAD * processes)}
            while open_:
                done, _ = wait(open_, return_when=FIRST_COMPLETED)
                for future in done:
                    yield open_.pop(future), future.result()
                open_ |= {pool.submit(_run, plan, threads): number for number, plan in islice(waiting, len(done))}
        except BaseException:
            # Ctrl-C, say: what is being graded is not waited for, and the zygotes end with these processes.
            for process in multiprocessing.active_children():
                process.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(shares: SimpleQueue[frozenset[int]]) -> None:
    begin()
    capacity.keep_to(shares.get())


def _run(plan: Plan, threads: int) -> Trial:
    if not _mine:
        _mine.append(make_launcher())
    return run(plan, _mine[0], threads=threads)
