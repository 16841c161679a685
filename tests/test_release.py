"""What leaves the course's repository, looked through and run where it is to run."""

from __future__ import annotations

import ast
import base64
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from grader.bank import write_reference
from grader.errors import LabError
from grader.release import write_classroom, write_gradescope, write_release
from grader.stubs import END, START
from tests.attacks.other_user import UID, find_python

ROOT = Path(__file__).parents[1]
SOLUTIONS = ROOT / "solutions"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What students get, in a folder that any user can read."""
    folder = tmp_path_factory.mktemp("release") / "lab"
    write_release(folder)
    return folder


def written_lines(source: str) -> Iterator[list[str]]:
    """What stands between each pair of markers, stripped, without empty lines and comments."""
    lines: list[str] | None = None
    for line in source.splitlines():
        text = line.strip()
        if text == START:
            lines = []
        elif text == END and lines is not None:
            yield lines
            lines = None
        elif lines is not None and text and not text.startswith("#"):
            lines.append(text)


def test_no_solution_is_released(released: Path) -> None:
    """No three lines that follow each other in a solution follow each other in what students get."""
    texts = {path: " ".join(path.read_text(encoding="utf-8").split()) for path in released.rglob("*.py")}
    pairs = 0
    for module in sorted(SOLUTIONS.glob("*.py")):
        for lines in written_lines(module.read_text(encoding="utf-8")):
            for window in zip(lines, lines[1:], lines[2:], strict=False):
                wanted = " ".join(" ".join(window).split())
                if len(wanted) < 60:
                    continue  # `else:` and `return values` say nothing
                pairs += 1
                found = [path.name for path, text in texts.items() if wanted in text]
                assert not found, (module.name, wanted, found)
    assert pairs > 100


def test_the_search_would_find_a_solution(tmp_path: Path) -> None:
    """The search above finds the reference where it is."""
    text = " ".join((SOLUTIONS / "model.py").read_text(encoding="utf-8").split())
    lines = next(written_lines((SOLUTIONS / "model.py").read_text(encoding="utf-8")))
    assert " ".join(" ".join(lines[:2]).split()) in text


def test_only_what_students_need(released: Path) -> None:
    """No solutions, tests, benchmarks, continuous integration or history; every stub raises NotImplementedError."""
    names = {path.relative_to(released).parts[0] for path in released.rglob("*") if path.is_file()}
    assert names == {"assignment", "grader", "dashboard", "docs", "scripts", ".gitignore", "LICENSE", "Makefile", "README.md",
                     "constraints.txt", "pyproject.toml"}  # fmt: skip
    for module in (released / "assignment").glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise):
                break
        else:
            assert module.name == "__init__.py"
    text = (released / "pyproject.toml").read_text(encoding="utf-8")
    assert "[tool.pytest" not in text
    assert "mypy.overrides" not in text


def test_a_secret_that_lies_there_is_not_taken(tmp_path: Path) -> None:
    """Only what is under version control is released, so a secret file in grader/ stays."""
    lying = ROOT / "grader" / "course-secret.txt"
    lying.write_text("do not tell")
    try:
        write_release(tmp_path / "lab")
    finally:
        lying.unlink()
    assert not (tmp_path / "lab" / "grader" / lying.name).exists()


def test_a_folder_that_holds_something_is_left(tmp_path: Path) -> None:
    """Nothing is written over."""
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(LabError, match="new or empty folder"):
        write_release(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def lab(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the released `lab`, and no other: -P and PYTHONPATH say which package is meant."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    return subprocess.run(
        [sys.executable, "-P", "-m", "grader", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_students_grade_themselves_with_it(released: Path) -> None:
    """The released stubs are graded by the released grader, to 0."""
    done = lab(released, "grade", "assignment", "-k", "conv_output", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["score"] == 0


@dataclass(frozen=True)
class Autograder:
    """A folder like Gradescope's /autograder, and how to run what is in it as an unprivileged user."""

    base: Path
    who: dict[str, Any]

    def run(self) -> dict[str, Any]:
        """Runs run_autograder, and reads what it wrote."""
        done = subprocess.run([self.base / "source" / "run_autograder"], capture_output=True, text=True, check=False, **self.who)
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads((self.base / "results" / "results.json").read_text(encoding="utf-8"))
        return document


@pytest.fixture
def autograder() -> Iterator[Autograder]:
    """The zip unpacked as Gradescope does it; instead of what setup.sh installs, this environment's packages."""
    with tempfile.TemporaryDirectory(prefix="lab-autograder-") as place:
        home = Path(place)
        home.chmod(0o755)
        base = home / "autograder"
        write_gradescope(home / "autograder.zip", secret=b"course secret")
        with zipfile.ZipFile(home / "autograder.zip") as archive:
            for entry in archive.infolist():
                archive.extract(entry, base / "source")
                (base / "source" / entry.filename).chmod(entry.external_attr >> 16 & 0o777)
        (base / "results").mkdir()
        (base / "submission").mkdir()
        lab_folder = base / "source" / "lab"
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(base),
            "TMPDIR": str(base),
            "AUTOGRADER": str(base),
            "PYTHONPATH": f"{lab_folder}{os.pathsep}{sysconfig.get_path('purelib')}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        who: dict[str, Any] = {"env": environment, "cwd": base}
        if os.geteuid() == 0:
            for path in (base, *base.rglob("*")):
                os.chown(path, UID, UID)
            who |= {"user": UID, "group": UID, "extra_groups": []}
        python = find_python(who, home)
        assert python is not None, "no Python that an unprivileged user can run finds the packages"
        program = lab_folder / ".venv" / "bin" / "lab"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nexec {python} -P -m grader "$@"\n')
        program.chmod(0o755)
        yield Autograder(base, who)


def test_gradescope_runs_it(autograder: Autograder) -> None:
    """In a layout like Gradescope's a section of the reference is graded with the course's secret, and results.json is as documented."""
    handed_in = autograder.base / "submission" / "handed-in"
    write_reference(SOLUTIONS, handed_in)
    shutil.copytree(SOLUTIONS / "results", handed_in / "results", ignore=shutil.ignore_patterns(".*"))
    program = autograder.base / "source" / "run_autograder"
    program.write_text(program.read_text().replace("--gradescope", "-k model --gradescope"))  # a section is enough here
    document = autograder.run()
    assert document["score"] == sum(test["max_score"] for test in document["tests"]) > 0
    assert {test["status"] for test in document["tests"]} == {"passed"}
    assert document["stdout_visibility"] == "hidden"
    assert "course secret" not in json.dumps(document)


def test_gradescope_is_told_of_nothing_to_grade(autograder: Autograder) -> None:
    """What holds none of the lab's files gets a sentence for the student, not "the autograder failed to execute"."""
    (autograder.base / "submission" / "essay.txt").write_text("Dear grader")
    document = autograder.run()
    assert document["score"] == 0
    assert "none of the lab's files" in document["output"]


def test_classroom_template_grades(tmp_path: Path) -> None:
    """The template's own command gives GitHub Classroom's reporter the points, beside what other steps put out."""
    write_classroom(tmp_path / "template")
    workflow = (tmp_path / "template" / ".github" / "workflows" / "classroom.yml").read_text(encoding="utf-8")
    command = next(line.partition(".venv/bin/lab ")[2] for line in workflow.splitlines() if ".venv/bin/lab" in line)
    output = tmp_path / "output"
    output.write_text("other=1\n")
    write_reference(SOLUTIONS, tmp_path / "template" / "assignment")
    arguments = command.replace('"$GITHUB_OUTPUT"', str(output)).split()
    done = lab(tmp_path / "template", *arguments, "-k", "conv_output")
    assert done.returncode == 0, done.stderr
    first, second = output.read_text(encoding="utf-8").splitlines()
    assert first == "other=1"
    document = json.loads(base64.b64decode(second.partition("=")[2]))
    # The reporter adds up the scores of `tests`, and takes `max_score` as what can be had.
    assert document["max_score"] == 100
    assert sum(test["score"] for test in document["tests"]) > 0
    assert {test["status"] for test in document["tests"]} == {"pass"}
