"""Grades in the forms that course systems take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from grader.errors import LabError
from grader.export import canvas, gradescope, moodle, table
from grader.export.feedback import write_feedback
from grader.export.grades import Grade

SYSTEMS = ("canvas", "gradescope", "moodle", "csv")


def export_grades(system: str, grades: Sequence[Grade], target: Path, *, sheet: Path | None, assignment: str) -> list[str]:
    """Writes grades for a course system.

    Args:
        system: One of `SYSTEMS`.
        grades: What to write.
        target: The file; a folder for Gradescope.
        sheet: What the course system let somebody download, to be filled in; Moodle needs it.
        assignment: Canvas's column.

    Returns:
        What a person should know, one sentence each: students whom the course system would not find, say.

    Raises:
        LabError: There is no such system, or a file cannot be read or written.
    """
    try:
        match system:
            case "canvas":
                return canvas.write(grades, target, assignment=assignment, gradebook=sheet)
            case "gradescope":
                return gradescope.write(grades, target)
            case "moodle":
                if sheet is None:
                    raise LabError("Moodle takes back only its own worksheet; download it there and name it with --sheet.")
                return moodle.write(grades, target, worksheet=sheet)
            case "csv":
                return table.write(grades, target)
    except OSError as error:
        raise LabError(f"The grades cannot be written to {target} ({error.strerror}); name another place.") from error
    raise LabError(f"There is no course system {system!r}; expected one of {', '.join(SYSTEMS)}.")


__all__ = ["SYSTEMS", "export_grades", "write_feedback"]
