"""Gradescope's results.json, one for each submission: `<folder>/<submission>/results.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from grader.export.grades import Grade
from grader.report.gradescope import results_document

_SAFE: Final = re.compile(r"[^\w.-]+")


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
