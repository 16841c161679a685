"""Where each student stands after a run: which submission counts, and the score with what a person changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from grader.store import schema
from grader.store.results import Results


@dataclass(frozen=True, slots=True)
class Standing:
    """One student in one run.

    Attributes:
        student: Who.
        entry: What counts; None when nothing was handed in.
        score: Points with adjustments, at least 0; None when nothing was handed in or the grader itself failed in it.
        sections: Points by section, in the rubric's order, without adjustments of the whole.
        possible: Points possible.
        remarks: What the instructor should know, or the reason of a change, one sentence each.
    """

    student: schema.Student
    entry: schema.Entry | None
    score: float | None
    sections: dict[str, float]
    possible: float
    remarks: tuple[str, ...]


def choose(entries: Iterable[schema.Entry], rule: str) -> dict[int, schema.Entry]:
    """Which submission counts for each student.

    Args:
        entries: A run's, with submissions, students and gradings loaded.
        rule: `latest`, or `best`: the most points, and of equal ones the first.

    Returns:
        From the student's number to the entry.
    """

    def worth(entry: schema.Entry) -> tuple[float, float]:
        grading = entry.grading
        submission = entry.submission
        time = submission.submitted_at.timestamp() if submission.submitted_at else 0.0
        if rule == "best":
            return (grading.score if grading is not None else -1.0, -submission.attempt)
        return (time, submission.attempt)

    chosen: dict[int, schema.Entry] = {}
    for entry in entries:
        for student in entry.submission.students:
            if student.id not in chosen or worth(entry) > worth(chosen[student.id]):
                chosen[student.id] = entry
    return chosen


def standings(store: Results, run: schema.Run) -> list[Standing]:
    """All students of the roster and all others who handed in, by section and name.

    Args:
        store: An open store.
        run: Which run.
    """
    entries = store.entries(run.id)
    chosen = choose(entries, run.rule)
    adjustments = store.adjustments(entry.submission_id for entry in chosen.values())
    possible = max((entry.grading.points for entry in entries if entry.grading is not None), default=0.0)
    with store.read() as session:
        students = session.scalars(sa.select(schema.Student)).all()
    here = [student for student in students if student.on_roster or student.id in chosen]
    made = [_standing(student, chosen.get(student.id), adjustments, possible) for student in here]
    return sorted(made, key=lambda one: (one.student.section, one.student.name.casefold(), one.student.key))


def _standing(
    student: schema.Student, entry: schema.Entry | None, adjustments: dict[int, list[schema.Adjustment]], possible: float
) -> Standing:
    if entry is None:
        return Standing(student, None, None, {}, possible, ("nothing was handed in",))
    changes = adjustments.get(entry.submission_id, [])
    remarks = [f"{change.points:+g} by {change.made_by}: {change.reason}" for change in changes]
    if entry.submission.late_days:
        remarks.append(f"{entry.submission.late_days} days late")
    grading = entry.grading
    if grading is None:
        remarks.append(f"could not be taken: {entry.submission.problem}")
    sections: dict[str, float] = {}
    for check in grading.checks if grading is not None else ():
        sections[check.section] = round(sections.get(check.section, 0.0) + check.earned, 2)
    for change in changes:
        section = change.check_name.partition("/")[0]
        if section in sections:
            sections[section] = round(sections[section] + change.points, 2)
    undecided = grading is not None and (grading.undecided > 0 or grading.finished_at is None)
    if undecided:
        remarks.append("the grader itself failed in a check; run the batch again")
        return Standing(student, entry, None, sections, possible, tuple(remarks))
    earned = grading.score if grading is not None else 0.0
    score = max(0.0, round(earned + sum(change.points for change in changes), 2))
    return Standing(student, entry, score, sections, possible, tuple(remarks))
