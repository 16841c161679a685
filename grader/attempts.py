"""A student's own public gradings, kept beside what was measured, so that the dashboard can show how the work grows.

They lie in results/.state/, which is not handed in. An official grading is never kept here: its feedback is the course's to give back.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from grader.errors import ResultsError
from grader.lab import RESULTS_FOLDER
from grader.measure.state import STATE_FOLDER, write_whole
from grader.results import GradeResult

KEPT: Final = 100
"""Gradings that are kept; the oldest go."""
LARGEST_BYTES: Final = 16 * 2**20


def folder_of(submission: Path) -> Path:
    """Where the gradings of a submission's folder are kept."""
    return submission / RESULTS_FOLDER / STATE_FOLDER / "grades"


def keep(submission: Path, result: GradeResult) -> None:
    """Keeps one grading of all sections.

    Args:
        submission: The submission's folder.
        result: A public grading.

    Raises:
        OSError: The folder is reached over a link, which may lead anywhere.
        MeasureError: It cannot be written to.
    """
    folder = folder_of(submission)
    if any(part.is_symlink() for part in (folder, folder.parent, folder.parent.parent)):
        raise OSError(f"{folder} is reached over a link")
    # `write_whole` makes the folder; a name in order of time, without characters that some file systems refuse.
    write_whole(folder / f"{re.sub(r'[^0-9A-Za-z]+', '-', result.started_at)}.json", result.to_json().encode())
    for old in sorted(folder.glob("*.json"))[:-KEPT]:
        old.unlink(missing_ok=True)


def kept(submission: Path) -> list[GradeResult]:
    """The gradings kept so far, oldest first; files that are damaged are left out.

    Args:
        submission: The submission's folder.
    """
    found = []
    for file in sorted(folder_of(submission).glob("*.json")):
        try:
            if file.stat().st_size <= LARGEST_BYTES:
                found.append(GradeResult.from_json(file.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, ResultsError):
            continue
    return sorted(found, key=lambda result: result.started_at)
