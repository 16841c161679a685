"""Judges timing loops that really ran, by ratio against loops of the grader's that ran in turn with them."""

from __future__ import annotations

import statistics
from typing import Any, Final

from grader.checks.compare import fail, number, sequence
from grader.host.submission import Submission
from grader.outcomes import CheckEnded
from grader.results import Feedback, State

COUNT: Final = 40
BATCH_SIZE: Final = 10
ROUNDS: Final = 7

BAND: Final = 3.0
"""A reported time may be so many times as long as ours, or as short. Measured on two cores that other work kept busy as well: the
reference's median ratio lay between 0.9 and 1.4; a loop that leaves the waiting out reports a tenth or less."""

STEADY: Final = 4.0
"""From this ratio of the slowest to the fastest of our own measurements on, the machine is too busy to tell."""


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
    if None in (*first.values(), *again.values()):
        raise CheckEnded(State.PASSED, None, Feedback("cannot tell: this machine was too busy to compare times; it costs no points"))
    for name, ratio in again.items():
        before = first.get(name)
        if ratio is None or before is None or (ratio > 1) != (before > 1):
            continue  # the two tries do not agree: chance
        fail(
            f"{name} reports {_times(ratio)} what the same calls take, measured in turn with it",
            f"expected: within a factor of {BAND:g} of the grader's own loop, on real work and with the function's own clock",
            f"received: {ratio:.3g} times that (median of {ROUNDS} pairs; a second try said the same)",
            help="Run it on your own model: between the two readings of the clock every call is made and waited for, and nothing else.",
        )


def _off(submission: Submission) -> dict[str, float | None]:
    """The functions whose times are not ours, with the ratio; None where the machine is too busy to tell."""
    found: dict[str, float | None] = {}
    for name, pairs in submission.tools.timed_in_turn(COUNT, BATCH_SIZE, ROUNDS).items():
        rows = [_pair(pair) for pair in sequence(pairs, f"what timing {name} gave", length=ROUNDS)]
        ratio = statistics.median(theirs / ours for theirs, ours in rows)  # one slow round says nothing
        if not 1 / BAND <= ratio <= BAND:
            ours_s = sorted(ours for _, ours in rows)
            found[str(name)] = ratio if ours_s[-2] <= STEADY * ours_s[0] else None
    return found


def _pair(pair: Any) -> tuple[float, float]:
    theirs, ours = sequence(pair, "a pair of times", length=2)
    return number(theirs, "total_s"), max(number(ours, "the grader's own time"), 1e-9)


def _times(ratio: float) -> str:
    return f"{ratio:.2g} times" if ratio >= 1 else f"only {ratio:.2g} of"
