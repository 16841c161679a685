"""Pairs of submissions with much code in common, out of the download that was graded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd
import streamlit as st

from dashboard.access import Viewer, require_instructor
from grader.batch.intake import read_class
from grader.batch.roster import Roster
from grader.similar import compare, read_chosen, read_stubs, render_pairs

STUBS: Final = Path(__file__).resolve().parents[1] / "assignment"
MOST: Final = 50
"""Pairs that are shown, those that share most."""


@dataclass(frozen=True, slots=True)
class Alike:
    """What a comparison found.

    Attributes:
        table: `share` in percent, `one`, `the other`, `modules`; the largest share first.
        page: The pairs side by side, as HTML.
        compared: How many submissions were compared.
        remarks: Submissions that cannot be compared, one sentence each.
    """

    table: pd.DataFrame
    page: str
    compared: int
    remarks: tuple[str, ...]


def alike(download: Path, results: pd.DataFrame, viewer: Viewer) -> Alike:
    """Compares the code of the submissions that count in a run.

    Args:
        download: The folder that was graded.
        results: The run's submissions, with `label` and `students`.
        viewer: Who asks.

    Returns:
        The pairs that share at least half of the smaller one's own code.

    Raises:
        Refused: The viewer is not an instructor.
        LabError: The download cannot be read.
    """
    require_instructor(viewer)
    return _compared(str(download), tuple(sorted(zip(results["label"], results["students"], strict=True))))


@st.cache_data(max_entries=2, ttl=600, show_spinner="Comparing the code of the class.")
def _compared(download: str, students: tuple[tuple[str, str], ...]) -> Alike:
    remarks: list[str] = []
    texts = read_chosen(read_class(Path(download), Roster()), dict(students), remarks)
    pairs = compare(texts, read_stubs(STUBS))[:MOST]
    rows = [
        {"share": f"{pair.share:.0%}", "one": pair.first.students, "the other": pair.second.students, "modules": pair.where}
        for pair in pairs
    ]
    return Alike(pd.DataFrame(rows), render_pairs(pairs, compared=len(texts)), len(texts), tuple(remarks))
