"""Canvas's gradebook CSV.

Canvas finds a student by `ID`, then by `SIS User ID`, then by `SIS Login ID`, then by the exact name; it takes the columns after the last
one whose title holds "Section" for assignments, and drops without a word those that are called like its own totals.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from grader.errors import LabError
from grader.export import cells
from grader.export.grades import Grade

HEADER: Final = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
POINTS_POSSIBLE: Final = "    Points Possible"
OWN_TITLES: Final = ("current score", "current grade", "current points", "final score", "final grade", "final points", "override score",
                     "override grade", "unposted current score", "unposted final score", "override status")  # fmt: skip
"""Titles of Canvas's own columns; an assignment whose title holds one is dropped."""


def write(grades: Sequence[Grade], target: Path, *, assignment: str, gradebook: Path | None = None) -> list[str]:
    """Writes the CSV.

    Args:
        grades: What to write.
        target: The file.
        assignment: The column's title: `Lab 1 (12345)` for an assignment that is there; another title makes a new one.
        gradebook: The gradebook as Canvas exported it: names and ids are written as they stand there.

    Returns:
        Remarks: students whom Canvas cannot find for sure.

    Raises:
        LabError: Canvas would drop a column of this title, or the gradebook cannot be read.
    """
    if not assignment.strip() or any(title in assignment.casefold() for title in OWN_TITLES):
        raise LabError(f"Canvas drops a column called {assignment!r} without a word; give the assignment's title, `Lab 1 (12345)`.")
    possible = max((grade.possible for grade in grades), default=0.0)
    known = _students(gradebook) if gradebook is not None else []
    rows: list[list[str]] = [[*HEADER, assignment], [POINTS_POSSIBLE, "", "", "", "", cells.points(possible)]]
    remarks: list[str] = []
    names: dict[str, int] = {}
    for grade in grades:
        names[grade.student.name] = names.get(grade.student.name, 0) + 1
    for grade in grades:
        student = grade.student
        identity = [student.name, student.canvas_id, student.sis_id, student.login, student.section]
        if known:
            found = _find(identity, known)
            if found is None:
                remarks.append(f"not in Canvas's gradebook, left out: {student.name or student.key}")
                continue
            identity = found
        elif not any(identity[1:4]):
            same = names[student.name] > 1
            remarks.append(f"Canvas knows {student.name or student.key} by the name only" + (", which others have too" if same else ""))
        # A name that is a formula: Canvas finds the student by an id, so the name may be changed; without an id it must stand as it is.
        name = cells.harmless(identity[0]) if any(identity[1:4]) else identity[0]
        rows.append([name, *identity[1:4], cells.harmless(identity[4]), cells.points(grade.score)])
    cells.write(target, rows)
    return remarks


def _students(gradebook: Path) -> list[list[str]]:
    rows = cells.read(gradebook)
    header = [title.strip().casefold() for title in rows[0]]
    missing = [title for title in HEADER[:2] if title.casefold() not in header]
    if missing:
        raise LabError(f"{gradebook} has no column {missing[0]!r}; expected the gradebook as Canvas exports it.")
    places = [header.index(title.casefold()) if title.casefold() in header else None for title in HEADER]
    found = [[row[place] if place is not None and place < len(row) else "" for place in places] for row in rows[1:]]
    return [student for student in found if student[1].strip()]


def _find(identity: list[str], known: list[list[str]]) -> list[str] | None:
    for place in (1, 2, 3, 0):
        same = [student for student in known if identity[place] and student[place] == identity[place]]
        if len(same) == 1:
            return same[0]
    return None
