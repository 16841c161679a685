"""A page of feedback for each student, ready to be given back."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from grader.errors import LabError
from grader.export.grades import Grade
from grader.report.html import write_html

LONGEST: Final = 120
"""Bytes of a name in a file's name; most systems take 255, some of them fewer."""


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
    taken: set[str] = set()
    try:
        for grade in grades:
            if grade.result is None:
                continue
            name = re.sub(r"[^\w.@-]+", "_", f"{grade.student.name}_{grade.student.key.partition(':')[2]}").lstrip(".")
            short = name.encode()[:LONGEST].decode(errors="ignore")
            # Keys that differ only in what a file name cannot hold, or not everywhere: some systems tell no "A" from an "a", and no letter
            # with an accent from the two signs that make it up.
            if short != name or unicodedata.normalize("NFC", name).casefold() in taken:
                name = f"{short}_{grade.student.id}"
            taken.add(unicodedata.normalize("NFC", name).casefold())
            file = folder / f"{name}.html"
            write_html(grade.result, file)
            written.append(file)
    except OSError as error:
        raise LabError(f"The feedback cannot be written to {folder} ({error.strerror}); name another folder.") from error
    return written
