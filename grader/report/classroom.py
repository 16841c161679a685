"""What GitHub Classroom's reporter reads: one runner's result, as an output of the workflow's step.

Its form is that of classroom-resources/autograding-grading-reporter: base64 of JSON with `version`, `status`, `max_score` and `tests`,
of which it adds up the scores.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from grader.report.gradescope import check_text
from grader.report.text import plain
from grader.results import GradeResult, State


def runner_result(result: GradeResult | None, *, total: float, problem: str = "") -> dict[str, Any]:
    """A grading as the reporter reads it.

    Args:
        result: The grading, with what may be shown to the student; None where there is none.
        total: Points that can be had.
        problem: Why there is none.

    Returns:
        The document.
    """
    tests = () if result is None else result.checks
    whole = result is not None and all(check.state is State.PASSED for check in tests)
    rows = [
        _row(
            plain(f"{check.name}: {check.title}"),
            "pass" if check.state is State.PASSED else "fail",
            check.earned,
            check_text(check),
            check.command,
        )
        for check in tests
    ]
    if result is None:
        rows = [_row("submission", "error", 0, plain(problem), "")]
    return {"version": 3, "status": "pass" if whole else "fail", "max_score": total, "tests": rows}


def _row(name: str, status: str, score: float, message: str, command: str) -> dict[str, Any]:
    row = {"name": name, "status": status, "score": score, "message": message, "test_code": command}
    return row | {"filename": "", "line_no": 0, "execution_time": 0}


def output_line(document: dict[str, Any]) -> str:
    """The line that makes a document the output `result` of a workflow's step.

    Args:
        document: As `runner_result` gives it.

    Returns:
        A line with its end.
    """
    return "result=" + base64.b64encode(json.dumps(document, ensure_ascii=False, allow_nan=False).encode()).decode() + "\n"
