"""A small class, and `lab batch` as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from grader.batch.sample import SampleClass, write_class
from grader.store import schema
from grader.store.results import Results

SOLUTIONS = Path(__file__).parents[2] / "solutions"
CHECKS = "epochs_needed or output_size or wilson"
"""Quick checks of three sections; the hostile submissions misbehave in them."""

Grades = dict[str, tuple[float, tuple[tuple[str, str, float], ...]]]
Batch = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleClass:
    """A class of 25 submissions in Canvas's layout."""
    return write_class(tmp_path_factory.mktemp("class") / "canvas", "canvas", SOLUTIONS)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Short time limits, so that a submission that hangs costs a second, and no secret."""
    folder = tmp_path_factory.mktemp("limits")
    (folder / "limits.toml").write_text("wall_s = 3.0\nmemory_bytes = 3221225472\n", encoding="utf-8")
    changed = {name: value for name, value in os.environ.items() if not name.startswith("LAB_")}
    return changed | {"LAB_LIMITS": str(folder / "limits.toml"), "NO_COLOR": "1", "LAB_RUNTIME_DIR": str(folder)}


@pytest.fixture(scope="session")
def batch(sample: SampleClass, environment: dict[str, str]) -> Batch:
    """`batch(url, ...)` starts the command on the class."""

    def start(url: str, *options: str, keyword: str = CHECKS) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "grader", "batch", str(sample.source), "--roster", str(sample.roster), "--db", url]
        return subprocess.Popen(
            [*command, "-k", keyword, "--unsandboxed", *options],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def ended(process: subprocess.Popen[str], timeout_s: float = 240) -> str:
    """Waits for the command; gives what it printed."""
    text, _ = process.communicate(timeout=timeout_s)
    assert process.returncode == 0, text
    return text


def grades(url: str) -> Grades:
    """All grades of the newest run: score and checks by the submission's label; each submission must be there once."""
    with Results.open(url) as store:
        entries = store.entries(store.run().id)
        labels = [entry.submission.label for entry in entries]
        assert len(labels) == len(set(labels))
        return {
            entry.submission.label: (
                entry.grading.score if entry.grading else -1.0,
                tuple((check.name, check.state, check.earned) for check in entry.grading.checks) if entry.grading else (),
            )
            for entry in entries
        }


def counted(url: str) -> tuple[int, int, int]:
    """Runs, gradings and checks in a store."""
    with Results.open(url) as store, store.read() as session:
        tables = (schema.Run, schema.Grading, schema.Check)
        runs, gradings, checks = (session.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in tables)
        return runs, gradings, checks
