"""One known submission graded, and what the grader said of it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from grader.bank import Entry, assemble_all
from grader.grade import grade
from grader.host.launch import Launcher
from grader.results import CheckResult, State


class Kind(StrEnum):
    """What a trial's submission is."""

    WHEAT = "wheat"
    CHAFF = "chaff"
    MUTANT = "mutant"
    REPEAT = "repeat"
    SEVERAL = "several"
    MENDED = "mended"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to grade, as plain data for another process.

    Attributes:
        kind: What the submission is.
        name: What it is called.
        reference: The reference's folder.
        entries: Entries of the bank; none for the reference itself or a mutant.
        file: The module that a mutant changes, and
        source: its text.
        keyword: The checks to run.
        secret: The secret of the run; None for the public seed.
        first_loss: Whether to stop at the first check that loses points.
    """

    kind: Kind
    name: str
    reference: Path
    entries: tuple[Entry, ...] = ()
    file: str = ""
    source: str = ""
    keyword: str = ""
    secret: bytes | None = None
    first_loss: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a plan.

    Attributes:
        kind: As planned.
        name: As planned.
        checks: The checks that ran.
        seconds: How long it took.
        problem: Why there is no grade; empty when there is one.
    """

    kind: Kind
    name: str
    checks: tuple[CheckResult, ...] = ()
    seconds: float = 0.0
    problem: str = ""
    lost: Mapping[str, CheckResult] = field(init=False, default_factory=dict)
    """The checks that lost points, by name. One that could not be decided costs none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "lost", {check.name: check for check in self.checks if loses(check)})

    @property
    def points(self) -> float:
        """Points earned in the checks that ran."""
        return sum(check.earned for check in self.checks)

    @property
    def undecided(self) -> list[str]:
        """The checks that the grader could not decide."""
        return [check.name for check in self.checks if check.state is State.UNDECIDED]


def loses(check: CheckResult) -> bool:
    """Whether a check cost points."""
    return check.earned < check.points and check.state is not State.UNDECIDED


def run(plan: Plan, launcher: Launcher, *, threads: int = 0) -> Trial:
    """Grades what a plan asks for.

    Args:
        plan: The plan.
        launcher: Starts workers.
        threads: Threads that TensorFlow may use; 0 for as many as it likes.

    Returns:
        What was found; a failure of the grader's is told as the trial's problem.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lab-trial-") as place:
        folder = Path(place) / "submission"
        try:
            assemble_all(plan.entries, plan.reference, folder)
            if plan.file:
                (folder / plan.file).write_text(plan.source, encoding="utf-8")
            until = loses if plan.first_loss else None
            result = grade(folder, keyword=plan.keyword, secret=plan.secret, launcher=launcher, until=until, threads=threads)
        except Exception as error:
            # One of hundreds: the others are still worth knowing.
            return Trial(plan.kind, plan.name, seconds=time.monotonic() - started, problem=f"{type(error).__name__}: {error}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return Trial(plan.kind, plan.name, result.checks, time.monotonic() - started)
