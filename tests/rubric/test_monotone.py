"""Partial credit is monotone: who mends one more mistake never scores lower."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import SOLUTIONS
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from grader.bank import Entry, assemble_all, entries, touched
from grader.grade import grade
from grader.host.launch import Launcher
from grader.lab import SECTIONS

CHAFFS = {section: [entry for entry in entries(SOLUTIONS / "chaffs") if entry.check.startswith(f"{section}/")] for section in SECTIONS}


def apart(chosen: Sequence[Entry]) -> bool:
    """Whether entries change different things: of two that replace one function only the last would be there."""
    parts = [touched(entry) for entry in chosen]
    return len(set().union(*parts)) == sum(map(len, parts))


def combinations(section: str) -> st.SearchStrategy[list[Entry]]:
    """Two to four mistakes of a section that can stand side by side."""
    return st.lists(st.sampled_from(CHAFFS[section]), min_size=2, max_size=4, unique_by=lambda entry: entry.name).filter(apart)


@pytest.mark.parametrize("section", SECTIONS)
def test_mending_a_mistake_never_costs(shared: Launcher, reference: Path, tmp_path_factory: pytest.TempPathFactory, section: str) -> None:
    """With one of several mistakes mended the section has as many points as before, or more."""

    def points(chosen: Sequence[Entry]) -> float:
        folder = assemble_all(chosen, reference, tmp_path_factory.mktemp("several") / "submission")
        result = grade(folder, keyword=f"test_{section}.py", launcher=shared)
        assert not math.isnan(result.score)
        return result.score

    # A few here; `lab validate --several 100` tries as many as one likes.
    few = settings(max_examples=1 if section == "training" else 2, deadline=None, database=None, phases=[Phase.generate], derandomize=True)

    @settings(few, suppress_health_check=list(HealthCheck))
    @given(combinations(section), st.data())
    def hold(chosen: list[Entry], data: st.DataObject) -> None:
        mended = data.draw(st.sampled_from(chosen))
        before, after = points(chosen), points([entry for entry in chosen if entry is not mended])
        assert after >= before, f"{[entry.name for entry in chosen]} without {mended.name}: {before} became {after}"

    hold()
