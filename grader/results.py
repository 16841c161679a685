"""The one versioned result of a grading: what terminal, HTML, JSON, store and exports read.

Immutable once made. JSON is the only form on disk; `from_json` refuses versions it does not know.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from grader.errors import ResultsError
from grader.lab import MODULE_FILES, SECTIONS

RESULT_VERSION: Final = 1
"""Version of the JSON form. History: 1 (0.1.0), the first."""


_FILES: Final = frozenset(f"assignment/{name}" for name in MODULE_FILES)
"""What of a place that the submission told may be shown: line and function could be chosen to tell something."""


LONGEST_LINE: Final = 400
"""Characters of a summary or of a line of a comparison, as of a line that the submission prints."""
LONGEST_TEXT: Final = 4000
"""Characters of any other text of a feedback: reports show no more (`report.text.LONGEST`)."""
MOST_LINES: Final = 40
"""Lines of a comparison; twice as many as are kept of what the submission prints."""


class State(StrEnum):
    """What became of a check."""

    PASSED = "passed"
    PARTIAL = "partial"
    FAILED = "failed"
    NOT_STARTED = "not started"
    COULD_NOT_RUN = "could not run"
    UNDECIDED = "undecided"
    """The grader itself failed: the points are neither given nor lost, and the grading must be run again."""


class Cause(StrEnum):
    """Why a check did not pass."""

    STUDENT_ERROR = "student error"
    TIME_OUT = "time-out"
    OUT_OF_MEMORY = "out of memory"
    DISK_LIMIT = "disk limit"
    CRASH = "crash"
    COULD_NOT_RUN = "could not run"
    GRADER_FAULT = "grader fault"


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a student is told about a check that did not pass, in the order it is shown.

    Some of it comes from the submission, which may say a lot: what is longer than `LONGEST_LINE`, `LONGEST_TEXT` and `MOST_LINES` is cut
    here, so that no result is large.

    Attributes:
        summary: What is wrong, one line.
        comparison: Expected against actual, lines of text (shape, dtype, largest error, first index that differs, tolerance).
        help: What to look at, one or two sentences; empty where nothing better than the summary is known.
        example: The smallest failing example as code that can be pasted; empty where there is none.
        where: Where in the submission, `assignment/data.py:42 make_dataset`; empty where unknown.
        printed: The last lines that the submission printed during the check.
        safe: The summary without words of the submission's own, where it has some; `where` is the submission's own then, too.
    """

    summary: str
    comparison: tuple[str, ...] = ()
    help: str = ""
    example: str = ""
    where: str = ""
    printed: str = ""
    safe: str = ""

    def __post_init__(self) -> None:
        """Cuts what is too long; of what was printed the end is kept."""
        lines = tuple(_cut(line, LONGEST_LINE) for line in self.comparison[:MOST_LINES])
        if len(self.comparison) > MOST_LINES:
            lines = (*lines[:-1], f"… and {len(self.comparison) - MOST_LINES + 1} more lines")
        kept: dict[str, Any] = {name: _cut(getattr(self, name), LONGEST_LINE) for name in ("summary", "where", "safe")}
        kept |= {name: _cut(getattr(self, name), LONGEST_TEXT) for name in ("help", "example")}
        kept |= {
            "comparison": lines,
            "printed": self.printed if len(self.printed) <= 2 * LONGEST_TEXT else f"…{self.printed[1 - 2 * LONGEST_TEXT :]}",
        }
        for name, value in kept.items():
            object.__setattr__(self, name, value)


def _cut(text: str, longest: int) -> str:
    if not text.isascii():  # half of a pair of surrogates, as in the name of a file that is no text: JSON and stores take none
        text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of one submission.

    Attributes:
        name: `<section>/<check>`, unique in the rubric, for example `data/label_map`.
        title: The check's title, one line, in words that a student reads.
        points: Points the check is worth.
        earned: Points earned, 0 to `points`.
        duration_s: Wall-clock time of the check.
        command: The command that runs this check alone.
        hidden: Whether the feedback holds examples that were drawn from the course's secret: for the instructor, not for the student.
    """

    name: str
    title: str
    state: State
    points: float
    earned: float
    duration_s: float = 0.0
    cause: Cause | None = None
    feedback: Feedback | None = None
    command: str = ""
    hidden: bool = False

    def for_student(self) -> CheckResult:
        """What the student may be shown: of a hidden example neither its values nor text that the submission itself made of them."""
        feedback = self.feedback
        if not self.hidden or feedback is None:
            return self
        file = feedback.where.partition(":")[0]
        where = file if file in _FILES else ""
        lines = (f"The example is hidden; for public ones run: {self.command}",)
        shown = Feedback(feedback.safe or feedback.summary, lines, feedback.help, where=where)
        return dataclasses.replace(self, feedback=shown, hidden=False)

    @property
    def section(self) -> str:
        """The section that the check belongs to: the first part of its name."""
        return self.name.partition("/")[0]


@dataclass(frozen=True, slots=True)
class GradeResult:
    """One grading of one submission: everything that any report or export shows.

    Attributes:
        submission: The submission's name, as its folder or zip is called.
        digest: SHA-256 over the names and contents of the files that were graded.
        checks: The checks in the rubric's order.
        official: True when a course secret seeded the run; False for a student's own run with the public seed.
        grader_version: Version of this package.
        isolation: How the submission was kept apart: the tier and what it is made of, "tier A (bubblewrap, ...)".
        started_at: ISO 8601, UTC.
        duration_s: Wall-clock time of the whole grading.
        notes: Remarks about the submission itself, one sentence each (files that were ignored, say).
    """

    submission: str
    digest: str
    checks: tuple[CheckResult, ...]
    official: bool
    grader_version: str
    isolation: str
    started_at: str
    duration_s: float
    notes: tuple[str, ...] = ()
    version: int = field(default=RESULT_VERSION)

    @property
    def points(self) -> float:
        """Points that the checks of this run are worth together."""
        return _total(check.points for check in self.checks)

    @property
    def score(self) -> float:
        """Points earned."""
        return _total(check.earned for check in self.checks)

    @property
    def undecided(self) -> float:
        """Points of checks in which the grader itself failed; run again before the score is used."""
        return _total(check.points for check in self.checks if check.state is State.UNDECIDED)

    def for_student(self) -> GradeResult:
        """The same grade with what may be shown to the student; a public run is returned as it is."""
        return dataclasses.replace(self, checks=tuple(check.for_student() for check in self.checks))

    def section(self, name: str) -> tuple[CheckResult, ...]:
        """The checks of one section, in order."""
        return tuple(check for check in self.checks if check.section == name)

    @property
    def sections(self) -> tuple[str, ...]:
        """The sections that have at least one check here, in the handout's order."""
        present = {check.section for check in self.checks}
        return tuple(name for name in SECTIONS if name in present)

    def to_json(self) -> str:
        """The versioned JSON form, with score and points beside the checks for readers that want no arithmetic."""
        document = dataclasses.asdict(self)
        document |= {"score": self.score, "points": self.points, "undecided": self.undecided}
        return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Reads what `to_json` wrote.

        Raises:
            ResultsError: The text is not such a document, or one of another version.
        """
        try:
            document: dict[str, Any] = json.loads(text)
            version = document["version"]
        except (ValueError, KeyError, TypeError) as error:
            raise ResultsError(f"This is not a grade in JSON (expected what `lab grade --json` writes): {error}.") from error
        if version != RESULT_VERSION:
            raise ResultsError(
                f"This grade has version {version!r}, expected {RESULT_VERSION}; grade the submission again with this package."
            )
        try:
            checks = tuple(
                CheckResult(
                    **{
                        **check,
                        "state": State(check["state"]),
                        "cause": Cause(check["cause"]) if check["cause"] else None,
                        "feedback": Feedback(**{**check["feedback"], "comparison": tuple(check["feedback"]["comparison"])})
                        if check["feedback"]
                        else None,
                    }
                )
                for check in document["checks"]
            )
            fields = {f.name: document[f.name] for f in dataclasses.fields(cls)}
            return cls(**{**fields, "checks": checks, "notes": tuple(document["notes"])})
        except (ValueError, KeyError, TypeError) as error:
            raise ResultsError(f"This grade is incomplete or damaged ({error}); grade the submission again.") from error


def _total(points: Iterable[float]) -> float:
    # Two decimals: a sum of decimal fractions is shown as a person would add it.
    return round(sum(points), 2)
