"""A page of feedback for each student, ready to be given back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from grader.errors import LabError
from grader.export.grades import Grade
from grader.report.html import write_html


def write_feedback(grades: Sequence[Grade], folder: Path) -> list[Path]:
    """Writes the pages, called after the students' keys.

    Args:
        grades: Whose.
        folder: Where to; it is made.

    Returns:
        The files.

    Raises:
        LabError: The folder cannot be written.
    """
    written: list[Path] = []
    try:
        for grade in grades:
            if grade.result is None:
                continue
            name = re.sub(r"[^\w.@-]+", "_", f"{grade.student.name}_{grade.student.key.partition(':')[2]}").lstrip(".")
            # Two keys that differ only in what a file name cannot hold.
            file = folder / f"{name}.html"
            file = file if file not in written else folder / f"{name}_{grade.student.id}.html"
            write_html(grade.result, file)
            written.append(file)
    except OSError as error:
        raise LabError(f"The feedback cannot be written to {folder} ({error.strerror}); name another folder.") from error
    return written
