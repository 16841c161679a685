"""All that is known of each grade, as one CSV for a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from grader.export import cells
from grader.export.grades import Grade
from grader.lab import SECTIONS

_STUDENT = ("name", "login", "email", "sis_id", "canvas_id", "moodle_id", "github", "section", "group_name")


def write(grades: Sequence[Grade], target: Path) -> list[str]:
    """Writes the CSV: the student, the score, a column for each section, a comment.

    Args:
        grades: What to write.
        target: The file.

    Returns:
        No remarks.
    """
    sections = [section for section in SECTIONS if any(section in grade.sections for grade in grades)]
    rows = [[*_STUDENT, "submission", "score", "possible", *sections, "comment"]]
    for grade in grades:
        who = [cells.harmless(str(getattr(grade.student, field))) for field in _STUDENT]
        figures = [cells.points(grade.score), cells.points(grade.possible), *(cells.points(grade.sections.get(name)) for name in sections)]
        rows.append([*who, cells.harmless(grade.label), *figures, cells.harmless(grade.comment)])
    cells.write(target, rows, mark=True)
    return []
