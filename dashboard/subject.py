"""What the pages about one submission need: its grade, its measurements, its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pandas as pd

from dashboard.measured import Measured, from_folder
from grader.artifacts import WEIGHTS_FILE
from grader.attempts import LARGEST_BYTES, kept
from grader.errors import ResultsError
from grader.lab import FINDINGS_FILE, MODULE_FILES, RESULTS_FOLDER
from grader.results import GradeResult

LARGEST_SOURCE: Final = 512 * 1024
"""Bytes of one source file that are shown."""
ATTEMPT_COLUMNS: Final = ("attempt", "when", "score", "points", "submission_id")


@dataclass(frozen=True)
class Subject:
    """One submission.

    Attributes:
        name: Whose it is, or its folder.
        grade: The grading that is shown; None when it is not graded yet.
        measured: What was measured.
        attempts: `ATTEMPT_COLUMNS`, oldest first; `submission_id` is empty in a student's own folder.
        folder: Where its files lie, for pictures and code; None where only the database is known.
        problems: Sentences about files that cannot be read.
        adjustments: `points`, `check_name`, `reason`, `made_by`, `made_at` of changes by a person.
    """

    name: str
    grade: GradeResult | None
    measured: Measured
    attempts: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(ATTEMPT_COLUMNS)))
    folder: Path | None = None
    problems: tuple[str, ...] = ()
    adjustments: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["points", "check_name", "reason", "made_by", "made_at"])
    )

    def sources(self) -> dict[str, str]:
        """The code and findings, by file name; what is missing or no text is left out."""
        found = {}
        for name in (*MODULE_FILES, FINDINGS_FILE):
            file = self.folder / name if self.folder else None
            if file is None or file.is_symlink() or not file.is_file() or file.stat().st_size > LARGEST_SOURCE:
                continue
            found[name] = file.read_text(encoding="utf-8", errors="replace")
        return found

    @property
    def has_weights(self) -> bool:
        """Whether trained weights are there to look at."""
        return self.folder is not None and (self.folder / RESULTS_FOLDER / WEIGHTS_FILE).is_file()


def from_own_folder(folder: Path, grade_file: Path | None = None) -> Subject:
    """A student's own folder: the newest grading kept there, and what was measured.

    Args:
        folder: The submission's folder.
        grade_file: A grade that `lab grade --json` wrote, to be shown instead of the newest.
    """
    history = kept(folder)
    problems: list[str] = []
    grade = history[-1] if history else None
    if grade_file is not None:
        try:
            if grade_file.stat().st_size > LARGEST_BYTES:
                raise ResultsError(f"A grade has at most {LARGEST_BYTES:,} bytes.")
            grade = GradeResult.from_json(grade_file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ResultsError) as error:
            problems.append(f"{grade_file} cannot be shown: {error}")
    rows = [
        {"attempt": number, "when": pd.Timestamp(result.started_at), "score": result.score, "points": result.points, "submission_id": None}
        for number, result in enumerate(history, start=1)
        if _is_time(result.started_at)
    ]
    measured = from_folder(folder)
    return Subject(
        folder.name,
        grade,
        measured,
        pd.DataFrame(rows, columns=list(ATTEMPT_COLUMNS)),
        folder,
        (*problems, *measured.problems),
    )


def _is_time(text: str) -> bool:
    try:
        pd.Timestamp(text)
    except ValueError:
        return False
    return True
