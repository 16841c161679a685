"""Moodle's offline grading worksheet: the one that was downloaded, with the grades filled in. Its titles are in the site's language."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from grader.errors import LabError
from grader.export import cells
from grader.export.grades import Grade

_GRADE: Final = frozenset(("grade", "bewertung", "note", "calificación", "nota", "valutazione", "cijfer", "ocena", "betyg", "karakter"))
_COMMENT: Final = frozenset(
    ("feedback comments", "feedback als kommentar", "feedback par commentaires", "comentarios de retroalimentación")
)
_IDENTIFIER: Final = re.compile(r"\D*(\d+)")


def write(grades: Sequence[Grade], target: Path, *, worksheet: Path) -> list[str]:
    """Fills in a worksheet: every row, title and other cell stays as it is.

    Args:
        grades: What to write.
        target: The file.
        worksheet: What Moodle let somebody download.

    Returns:
        Remarks: students who are not in the worksheet.

    Raises:
        LabError: It is no worksheet.
    """
    rows = cells.read(worksheet)
    titles = [title.strip().casefold() for title in rows[0]]
    grade_at = next((place for place, title in enumerate(titles) if title in _GRADE), None)
    comment_at = next((place for place, title in enumerate(titles) if title in _COMMENT or title.startswith("feedback")), None)
    numbered = len(rows) > 1 and all(_IDENTIFIER.fullmatch(row[0].strip()) for row in rows[1:] if row)
    if grade_at is None or not numbered:
        raise LabError(
            f"{worksheet} is no grading worksheet (expected an identifier such as `Participant 123` first, and a column Grade); "
            "turn on `Offline grading worksheet` in the assignment and download it."
        )
    waiting = list(grades)
    for row in rows[1:]:
        if not row:
            continue
        grade = _of(row, waiting)
        if grade is None:
            continue
        waiting.remove(grade)
        row += [""] * (len(rows[0]) - len(row))
        row[grade_at] = cells.points(grade.score)
        if comment_at is not None:
            row[comment_at] = cells.harmless(grade.comment)
    cells.write(target, rows)
    return [f"not in Moodle's worksheet, left out: {grade.student.name or grade.student.key}" for grade in waiting]


def _of(row: list[str], waiting: list[Grade]) -> Grade | None:
    number = _IDENTIFIER.fullmatch(row[0].strip())
    by_number = [grade for grade in waiting if number and grade.student.moodle_id == number[1]]
    if by_number:
        return by_number[0]
    # Columns after the first: full name, id number, e-mail; which of them there are is the site's choice.
    others = {cell.strip().casefold() for cell in row[1:] if cell.strip()}
    for field in ("email", "sis_id", "login", "name"):
        found = [
            grade for grade in waiting if not grade.student.moodle_id and str(getattr(grade.student, field)).casefold() in others - {""}
        ]
        if len(found) == 1:
            return found[0]
    return None
