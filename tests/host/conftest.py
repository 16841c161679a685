"""Real workers under short limits, and submissions made of the reference with some functions replaced."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from grader.bank import overlay
from grader.grade import grade
from grader.host import limits
from grader.host.launch import Launcher, launcher
from grader.host.submission import Submission
from grader.lab import FINDINGS_FILE, MODULE_FILES
from grader.results import GradeResult

SOLUTIONS = Path(__file__).parents[2] / "solutions"
WALL_S = 3.0

Make = Callable[..., Path]


@pytest.fixture(scope="session", autouse=True)
def _own_runtime_folder(own_runtime_folder: None) -> None:
    """All tests here have a runtime folder of their own."""


@pytest.fixture(scope="session")
def bare(own_runtime_folder: None) -> Iterator[Launcher]:
    """One zygote without a sandbox: what it does about processes has to hold where a submission can start some."""
    with closing(launcher("zygote", tier="C")) as started:
        yield started


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks have a few seconds and 3 GiB."""
    monkeypatch.setattr(limits, "CHECK", replace(limits.CHECK, wall_s=WALL_S, memory_bytes=3 * 2**30))


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """`make(training="def ...")` writes the reference with these functions in the place of its own."""

    def write(**modules: str) -> Path:
        folder = tmp_path / "submission"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in (*MODULE_FILES, FINDINGS_FILE):
            shutil.copyfile(SOLUTIONS / name, folder / name)
        for module, changes in modules.items():
            file = folder / f"{module}.py"
            file.write_text(overlay(file.read_text(encoding="utf-8"), changes), encoding="utf-8")
        return folder

    return write


@pytest.fixture
def graded(shared: Launcher, short: None) -> Callable[[Path, str], GradeResult]:
    """Grades with the shared zygote, under short limits."""
    return lambda folder, keyword: grade(folder, keyword=keyword, launcher=shared)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Submission]]:
    """`started(launcher, source, wall_s=...)` is a submission whose training.py is `source`, without a rubric around it."""
    made: list[Submission] = []

    def start(using: Launcher, source: str, wall_s: float = WALL_S) -> Submission:
        folder = tmp_path / f"submission-{len(made)}"
        folder.mkdir()
        (folder / "training.py").write_text(source, encoding="utf-8")
        made.append(Submission(folder, using, replace(limits.for_check(), wall_s=wall_s, memory_bytes=3 * 2**30)))
        return made[-1]

    yield start
    for submission in made:
        submission.close()
