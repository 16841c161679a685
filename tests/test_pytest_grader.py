"""`pytest grader`, as a student runs it in a copy without solutions/, against `lab grade`."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grader.bank import assemble_all, entries
from grader.grade import grade
from grader.host.launch import Launcher
from grader.results import State

ROOT = Path(__file__).parents[1]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What a student has: the grader and the stubs, no solutions."""
    for name in ("grader", "assignment"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "results"))
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs `pytest grader` there; `python -m` so that the copy's own grader is the one that runs."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "grader", *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


def total(output: str) -> str:
    """The line with the total."""
    found = re.findall(r"^[\d.]+/[\d.]+$", output, re.MULTILINE)
    assert len(found) == 1, output
    return str(found[0])


def test_the_same_score_as_lab_grade(copy: Path, shared: Launcher) -> None:
    """A partly wrong submission gets the same points, check by check and in sum, both ways."""
    both = "test_model.py or test_timing.py"
    chosen = [entry for entry in entries(ROOT / "solutions" / "chaffs") if entry.mistake in (1, 11)]
    shutil.rmtree(copy / "assignment")
    assemble_all(chosen, ROOT / "solutions", copy / "assignment")
    result = grade(copy / "assignment", keyword=both, launcher=shared)
    done = run(copy, "-k", both)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert result.points == 40
    assert total(done.stdout) == f"{result.score:g}/40"
    failed = {check.name.partition("/")[2] for check in result.checks if check.state is not State.PASSED}
    assert len(failed) >= 2
    for name in failed:
        assert f"({name})" in done.stdout


def test_untouched_stubs_earn_nothing(copy: Path) -> None:
    """All sections run, and not one point is given."""
    assert total(run(copy).stdout) == "0/100"


def test_a_check_s_command_runs_it_alone(shared: Launcher) -> None:
    """Also where its name is part of another's: what stands after -k selects one check."""
    both = grade(ROOT / "assignment", keyword="sweep", launcher=shared).checks
    assert [check.name for check in both] == ["timing/sweeps", "training/sweep"]
    for check in both:
        keyword = shlex.split(check.command)[-1]
        assert [other.name for other in grade(ROOT / "assignment", keyword=keyword, launcher=shared).checks] == [check.name]


def test_a_section_by_its_word(copy: Path) -> None:
    """`-k data` runs the data section alone, and the untouched stubs are not started, without a traceback."""
    done = run(copy, "-k", "data")
    assert total(done.stdout) == "0/20"
    assert "not started yet: assignment/data.py" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    for other in ("model", "profiling", "timing", "training"):
        assert not re.search(rf"^{other}$", done.stdout, re.MULTILINE)


def test_a_submission_by_its_path(copy: Path, tmp_path: Path) -> None:
    """A path that holds nothing is one sentence."""
    done = run(copy, "--submission", "elsewhere")
    assert done.returncode == 4
    assert "elsewhere does not exist" in done.stderr
