"""A grading as Gradescope reads it: what an autograder writes to /autograder/results/results.json."""

from __future__ import annotations

from typing import Any, Final

from grader.report.text import plain
from grader.results import CheckResult, GradeResult, State

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
        "output": check_text(check),
        "output_format": "text",
        "tags": [check.section],
        "visibility": "visible",
        "extra_data": {"state": check.state.value, "cause": check.cause.value if check.cause else None},
    }


def nothing_graded(problem: str) -> dict[str, Any]:
    """What stands in the place of a grading where the submission could not be read.

    Args:
        problem: Why, for the student.

    Returns:
        The document: no points, and the sentence.
    """
    return {
        "score": 0,
        "output": plain(problem),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [],
    }


def check_text(check: CheckResult) -> str:
    """What a check has to say, as plain text of at most `LARGEST_OUTPUT` characters.

    Args:
        check: Its result, with what may be shown to the student.

    Returns:
        The text; empty for a check that passed.
    """
    return plain(_output(check))[:LARGEST_OUTPUT]


def _output(check: CheckResult) -> str:
    feedback = check.feedback
    if feedback is None:
        return ""
    parts = [feedback.summary, *feedback.comparison, feedback.help, feedback.where, feedback.example]
    parts += [f"printed:\n{feedback.printed}"] if feedback.printed else []
    return "\n".join([*(part for part in parts if part), f"to run it alone: {check.command}"])
