"""Judges timing loops that really ran, by ratio against loops of the grader's that ran in turn with them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from grader.checks.compare import fail, number, record
from grader.host.submission import Submission
from grader.outcomes import CheckEnded
from grader.results import Feedback, State
from grader.rubric.timed_region import FIELDS

COUNT: Final = 40
BATCH_SIZE: Final = 10
ROUNDS: Final = 7

BAND: Final = 3.0
"""A reported time may be so many times as long as ours, or as short. Measured on two cores that other work kept busy as well: the
reference's median ratio lay between 0.9 and 1.4; a loop that leaves the waiting out reports a tenth or less."""

CLAIM: Final = 1.1
"""A reported time may be so many times as long as the grader's own clock saw the call take. It lies within it: above 1 it is made up."""

STEADY: Final = 4.0
"""From this ratio of the slowest to the fastest of our own measurements on, the machine is busy: only what is farther off than the band
and that ratio together (a thousandth of the time, say) still tells."""


def agrees_with_ours(submission: Submission) -> None:
    """Holds that the timing functions report about the time that the same work takes in the grader's own loop.

    Args:
        submission: The submission.

    Raises:
        CheckFailed: Two runs, one after the other, say that it is another time.
        CheckEnded: The machine is too busy to tell, which costs nothing.
    """
    first = _off(submission)
    if not first:
        return
    again = _off(submission)
    if not again:
        return
    for name, ratio in again.items():
        before = first.get(name)
        if ratio is None or before is None or (ratio > 1) != (before > 1):
            continue  # the two tries do not agree: chance
        fail(
            f"{name} reports {'more' if ratio > 1 else 'less'} time than the same calls take, measured in turn with it",
            f"expected: within a factor of {BAND:g} of the grader's own loop, on real work and with the function's own clock",
            f"received: {ratio:.3g} times that (median of {ROUNDS} pairs; a second try said the same)",
            help="Run it on your own model: between the two readings of the clock every call is made and waited for, and nothing else.",
        )
    if None in (*first.values(), *again.values()):
        raise CheckEnded(State.PASSED, None, Feedback("cannot tell: this machine was too busy to compare times; it costs no points"))


def _off(submission: Submission) -> dict[str, float | None]:
    """The functions whose times are not ours, with the ratio; None where the machine is too busy to tell.

    What a worker's clock says is the submission's to choose, so our loop is timed on this side of the channel, which adds a part of a
    millisecond; and so is the call in which a function says how long it took.
    """
    work = submission.tools.real_work(COUNT)
    predict, images = work["predict"], work["images"]

    def ours(size: int) -> float:
        return _passed(lambda: submission.tools.call_ours(work["loop"], size))[0]

    def theirs(name: str, size: int) -> tuple[float, float]:
        sized = (size,) if size > 1 else ()
        passed, answer = _passed(lambda: getattr(submission.timing, name)(predict, images, *sized))
        given = record(answer, FIELDS, "the measurement", "Timing")
        return number(given["total_s"], "total_s"), passed

    found: dict[str, float | None] = {}
    for name, size in (("time_online", 1), ("time_batches", BATCH_SIZE)):
        ours(size)
        rows = []
        for place in range(ROUNDS):
            # Now the one goes first, now the other: what comes second finds warmer caches.
            first = theirs(name, size) if place % 2 == 0 else None
            own = ours(size)
            rows.append((*(theirs(name, size) if first is None else first), own))
        ratio = max(statistics.median(reported / own for reported, _, own in rows), 1e-9)  # one slow round says nothing
        if statistics.median(reported / passed for reported, passed, _ in rows) > CLAIM:
            fail(
                f"{name} reports more time than passes while it runs",
                f"expected: at most the time from its call to its answer, {statistics.median(passed for _, passed, _ in rows):.3g} s",
                f"received: total_s = {statistics.median(reported for reported, _, _ in rows):.3g}",
                help="total_s is the difference of two readings of the clock in seconds, and every call is made between them.",
            )
        if not 1 / BAND <= ratio <= BAND:
            found[name] = ratio if tells(ratio, [own for _, _, own in rows]) else None
    return found


def _passed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that a call takes by this side's clock, and what it gives."""
    started = time.perf_counter()
    answer = call()
    return max(time.perf_counter() - started, 1e-9), answer


def tells(ratio: float, own_s: Sequence[float]) -> bool:
    """Whether a ratio outside the band says something about the function, or only about a busy machine.

    Args:
        ratio: The median of the reported time over ours.
        own_s: Our own measurements, seconds. The slowest of them is forgiven.

    Returns:
        True when they were steady, or when the ratio is farther off than the band and their spread together.
    """
    fastest, *_, slow, _ = sorted(own_s)
    spread = slow / fastest
    return spread <= STEADY or max(ratio, 1 / ratio) > BAND * spread
