"""What goes wrong at a student's keyboard, through the real command: one clear sentence each, and no traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grader.bank import write_reference
from grader.host.warm import WarmZygote

ROOT = Path(__file__).parents[1]
SOLUTIONS = ROOT / "solutions"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with a runtime folder of its own."""
    return {**os.environ, "LAB_RUNTIME_DIR": str(tmp_path_factory.mktemp("runtime")), "NO_COLOR": "1", "COLUMNS": "200"}


@pytest.fixture(scope="module", autouse=True)
def warm(environment: dict[str, str]) -> object:
    """One warm zygote for all commands of this module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_RUNTIME_DIR", environment["LAB_RUNTIME_DIR"])
        with WarmZygote():
            yield


def lab(environment: dict[str, str], *arguments: str | Path) -> tuple[int, str]:
    """Runs the command; gives its exit status and all it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "grader", *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    text = done.stdout + done.stderr
    assert "Traceback" not in text
    return done.returncode, " ".join(text.split())


@pytest.mark.parametrize(
    ("module", "source", "keyword", "told"),
    [
        ("model", "def conv_output_size(size, kernel:\n", "conv_output", "assignment/model.py:1 cannot be imported: SyntaxError"),
        ("model", "import torch_is_not_here\n", "conv_output", "ModuleNotFoundError: No module named 'torch_is_not_here'"),
        ("model", "def output_size(size, kernel, stride=1): ...\n", "conv_output", "has no function conv_output_size; its functions"),
        ("model", "def conv_output_size(size): ...\n", "conv_output", "conv_output_size(size), and cannot be called: too many positional"),
        ("model", "def conv_output_size(size, kernel, stride=1): return 'x'\n", "conv_output", "should be an integer"),
        ("model", "def conv_output_size(size, kernel, stride=1): pass\n", "conv_output", "None (is there a return?)"),
        ("model", "def build_model(classes=200): raise ValueError('a bad shape')\n", "architecture", "raised ValueError: a bad shape"),
        ("data", "def wilson_interval(*a, **k): return (float('nan'), 1.0)\n", "wilson", "not finite"),
    ],
)  # fmt: skip
def test_a_wrong_module(environment: dict[str, str], tmp_path: Path, module: str, source: str, keyword: str, told: str) -> None:
    """Syntax error, missing package, renamed function, other signature, wrong type, no return, a model that does not build, NaN."""
    folder = write_reference(SOLUTIONS, tmp_path / "assignment")
    (folder / f"{module}.py").write_text(source)
    status, text = lab(environment, "grade", folder, "-k", keyword)
    assert status == 0  # a grade was produced
    assert told in text
    assert "grader fault" not in text


def test_no_such_submission(environment: dict[str, str], tmp_path: Path) -> None:
    """A path that is not there, a folder without the lab's files, and a file that is no zip."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.zip").write_text("not a zip")
    for name, told in (("nothing", "does not exist"), ("empty", "none of the lab's files"), ("notes.zip", "not a zip that can be opened")):
        status, text = lab(environment, "grade", tmp_path / name)
        assert status == 2
        assert told in text


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("training.json", '{"version": 1, "kind": "trai', "results/training.json is cut short or is not JSON"),
        ("training.json", '{"version": 7, "kind": "training"}', "results/training.json has version 7, expected 1"),
        ("weights.safetensors", "half a file", "not a whole safetensors file"),
    ],
)
def test_damaged_results(environment: dict[str, str], tmp_path: Path, name: str, content: str, told: str) -> None:
    """A results file that is cut in half, or of another version, is named, with what to do."""
    folder = write_reference(SOLUTIONS, tmp_path / "assignment")
    shutil.copytree(SOLUTIONS / "results", folder / "results", ignore=shutil.ignore_patterns(".*"))
    (folder / "results" / name).write_text(content)
    status, text = lab(environment, "grade", folder, "-k", "accuracy")
    assert status == 0
    assert told in text
    assert "lab measure" in text


def test_findings_that_are_not_toml(environment: dict[str, str], tmp_path: Path) -> None:
    """A findings file with a slip of the pen is told with its line."""
    folder = write_reference(SOLUTIONS, tmp_path / "assignment")
    (folder / "findings.toml").write_text("[model]\nmost_macs_layer = conv2\n")
    _, text = lab(environment, "grade", folder, "-k", "model_findings")
    assert "findings.toml is not valid TOML" in text
    assert "line 2" in text


def test_no_tensorflow(environment: dict[str, str], tmp_path: Path) -> None:
    """Without TensorFlow there is one sentence and no grade."""
    tmp_path.chmod(0o755)  # the worker is another user than root, and root's temporary folders are closed to others
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text("raise ModuleNotFoundError('No module named tensorflow')\n")
    without = {**environment, "PYTHONPATH": str(tmp_path), "LAB_RUNTIME_DIR": str(tmp_path / "runtime")}
    status, text = lab(without, "grade", SOLUTIONS, "-k", "conv_output")
    assert status == 2
    assert "could not start TensorFlow: ModuleNotFoundError: No module named tensorflow. Run `lab doctor`" in text


def test_wrong_python(tmp_path: Path) -> None:
    """Set-up with an unsuitable Python says which ones suit, and how to name one."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    python = tmp_path / "python3.9"
    python.write_text("#!/bin/sh\n[ \"$1\" = --version ] && echo 'Python 3.9.1' && exit 0\nexit 1\n")
    python.chmod(0o755)
    done = subprocess.run(
        ["bash", "scripts/setup.sh"], cwd=tmp_path, env={**os.environ, "PYTHON": str(python)}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "no Python 3.11, 3.12 or 3.13 with venv was found" in done.stderr
    assert "Python 3.9.1" in done.stderr


def test_an_unknown_check(environment: dict[str, str]) -> None:
    """A keyword that selects nothing, and a section that does not exist."""
    status, text = lab(environment, "grade", SOLUTIONS, "-k", "no_such_check")
    assert status == 2
    assert "No check is selected by" in text
    status, text = lab(environment, "grade", SOLUTIONS, "--section", "datas")
    assert status == 2
    assert "no section 'datas'" in text
