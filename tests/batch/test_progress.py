"""What `lab batch` says of a long run where no terminal shows its bar."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from grader.batch import progress
from grader.batch.progress import BatchProgress


def test_a_pipe_hears_of_a_long_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that ends after a long silence is told, one soon after another line is not."""
    console = Console(record=True, file=io.StringIO(), width=200)
    with BatchProgress(console) as shown:
        shown.begin(21, 2)
        shown.check()
        monkeypatch.setattr(progress, "QUIET_S", 0.0)
        shown.check()
    assert console.export_text().splitlines() == ["21 different submissions, 2 of them graded already", "2 of 21 done, 2 checks"]
