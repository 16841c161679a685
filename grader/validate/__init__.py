"""`lab validate`: measures how often the grader is wrong, on submissions whose truth is known."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext

from grader import capacity
from grader.validate.crew import run_all
from grader.validate.load import EACH, load
from grader.validate.trial import Trial
from grader.validate.validation import Validation

__all__ = ["validate"]


def validate(
    validation: Validation,
    *,
    repeat: int = 0,
    first: int = 0,
    keyword: str = "",
    several: int = 0,
    under_load: bool = False,
    processes: int = 0,
    listener: Callable[[Trial, int], None] | None = None,
) -> None:
    """Tries all that a validation holds, and notes in it what came of it.

    Args:
        validation: What to try; see `grader.validate.validation.prepare`.
        repeat: How many gradings of right submissions, each with another secret.
        first: The number of the first of them, which its secret comes from: so that several runs add up.
        keyword: The checks of these gradings; all by default.
        several: How many submissions with several mistakes, each also with one of them mended.
        under_load: Whether all cores are kept busy and memory scarce meanwhile.
        processes: How many gradings at a time; by default one for each core, and two under load, where each is load for the others.
        listener: Called with each trial and the number of all.
    """
    started = time.monotonic()
    plans = validation.plans(repeat=repeat, first=first, keyword=keyword, several=several)
    validation.planned = len(plans)
    gradings = processes or capacity.cores() * (EACH if under_load else 1)
    with load(gradings) if under_load else nullcontext():
        for trial in run_all(plans, gradings):
            validation.trials.append(trial)
            validation.seconds = time.monotonic() - started
            if listener is not None:
                listener(trial, len(plans))
