"""Gradescope's results.json, one for each submission: `<folder>/<submission>/results.json`.

`results_document` is also what an autograder on Gradescope writes to /autograder/results/results.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from grader.export.grades import Grade
from grader.report.text import plain
from grader.results import CheckResult, GradeResult, State

_SAFE: Final = re.compile(r"[^\w.-]+")
LARGEST_OUTPUT: Final = 8_000
"""Characters of one check's text."""


def results_document(result: GradeResult, *, score: float | None = None, comment: str = "") -> dict[str, Any]:
    """A grading as Gradescope reads it; all text is plain text, so that nothing in it is taken for markup.

    Args:
        result: The grading, with what may be shown to the student.
        score: Where it is not the result's own: after changes and late days.
        comment: Shown above the checks.
    """
    notes = [comment, *result.notes, *([f"{result.undecided:g} points are undecided: grade again."] if result.undecided else [])]
    return {
        "score": result.score if score is None else score,
        "execution_time": round(result.duration_s),
        "output": plain("\n".join(note for note in notes if note)),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {"digest": result.digest, "grader_version": result.grader_version, "isolation": result.isolation},
        "tests": [_test(check, str(number)) for number, check in enumerate(result.checks, start=1)],
    }


def _test(check: CheckResult, number: str) -> dict[str, Any]:
    return {
        "score": check.earned,
        "max_score": check.points,
        "status": "passed" if check.state is State.PASSED else "failed",
        "name": plain(f"{check.name}: {check.title}"),
        "name_format": "text",
        "number": number,
        "output": plain(_output(check))[:LARGEST_OUTPUT],
        "output_format": "text",
        "tags": [check.section],
        "visibility": "visible",
        "extra_data": {"state": check.state.value, "cause": check.cause.value if check.cause else None},
    }


def _output(check: CheckResult) -> str:
    feedback = check.feedback
    if feedback is None:
        return ""
    parts = [feedback.summary, *feedback.comparison, feedback.help, feedback.where, feedback.example]
    parts += [f"printed:\n{feedback.printed}"] if feedback.printed else []
    return "\n".join([*(part for part in parts if part), f"to run it alone: {check.command}"])


def write(grades: Sequence[Grade], target: Path) -> list[str]:
    """Writes a folder for each submission that was graded.

    Args:
        grades: What to write.
        target: The folder.

    Returns:
        Remarks: students without a grade.
    """
    remarks = []
    for grade in grades:
        if grade.result is None or grade.score is None:
            remarks.append(f"no results.json for {grade.student.name or grade.student.key}: {grade.comment}")
            continue
        folder = target / _SAFE.sub("_", grade.label).lstrip(".")
        folder.mkdir(parents=True, exist_ok=True)
        document = results_document(grade.result, score=grade.score, comment=grade.comment)
        (folder / "results.json").write_text(json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False), encoding="utf-8")
    return remarks
