"""The grades of a run, as every export reads them."""

from __future__ import annotations

from dataclasses import dataclass

from grader.lab import SECTIONS
from grader.results import GradeResult
from grader.store import schema
from grader.store.results import Results, grade_result
from grader.store.standing import standings


@dataclass(frozen=True, slots=True)
class Policy:
    """What late days cost.

    Attributes:
        late_percent: Percent of the score that each late day takes.
        grace_days: Late days that cost nothing.
    """

    late_percent: float = 0.0
    grace_days: int = 0

    def apply(self, score: float, late_days: int) -> float:
        """The score after the penalty, at least 0."""
        share = max(0.0, 1 - self.late_percent / 100 * max(0, late_days - self.grace_days))
        return round(score * share, 2)


@dataclass(frozen=True, slots=True)
class Grade:
    """One student's grade.

    Attributes:
        student: Who.
        score: Points after changes by hand and late days; None when nothing was handed in or the grader itself failed.
        possible: Points possible.
        sections: Points of each section of the lab that was graded.
        comment: What the student may read: the sections' points, late days, the reason of changes.
        result: The whole grading, with what may be shown to the student; None when there is none.
        label: Of the submission; empty when there is none.
    """

    student: schema.Student
    score: float | None
    possible: float
    sections: dict[str, float]
    comment: str
    result: GradeResult | None
    label: str


def grades_of(store: Results, run: schema.Run, policy: Policy) -> list[Grade]:
    """The grades of all students in a run, those who handed in nothing included.

    Args:
        store: An open store.
        run: Which run.
        policy: What late days cost.
    """
    made = []
    for one in standings(store, run):
        late = one.entry.submission.late_days if one.entry is not None else 0
        score = None if one.score is None else policy.apply(one.score, late)
        parts = [f"{name} {one.sections[name]:g}" for name in SECTIONS if name in one.sections]
        remarks = list(one.remarks)
        if score is not None and score != one.score:
            remarks.append(f"{one.score:g} before late days")
        label = one.entry.submission.label if one.entry is not None else ""
        grading = one.entry.grading if one.entry is not None else None
        result = None if grading is None else grade_result(grading, name=label).for_student()
        comment = "; ".join([", ".join(parts)] * bool(parts) + remarks)
        made.append(Grade(one.student, score, one.possible, one.sections, comment, result, label))
    return made
