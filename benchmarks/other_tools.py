"""What grading a class costs with `lab batch`, with a fresh pytest process a submission, with nbgrader and with otter-grader.

    python benchmarks/other_tools.py [--submissions 24]

All four grade the same varied copies of the reference with the same five checks of the rubric (benchmarks/_direct.py), one after the
other in one go; the whole class once before counts nothing but fills the disk's cache. The other three call the student's functions in
the process of the tests, as those tools do; `lab batch` keeps its trust boundary. "Own" is what the checks take in one warm process
without any boundary; what a tool takes beyond that is its cost. nbgrader and otter-grader come from PyPI into an environment of their
own under build/, made at the first run; the versions of TensorFlow and NumPy are those of constraints.txt.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _direct import CHECKS
from batch import make_class, timed_batch
from rich.console import Console
from rich.table import Table

from grader.batch.pool import processes_here

ROOT = Path(__file__).parents[1]
ENVIRONMENT = ROOT / "build" / "other-tools"
KEYWORD = " or ".join(check.partition("/")[2] for check in CHECKS)
GRADER = f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r}); from _direct import ask, modules_of"


def environment() -> Path:
    """The other tools' environment.

    Returns:
        Its bin/.
    """
    programs = ENVIRONMENT / "bin"
    if not (programs / "otter").exists():
        venv.create(ENVIRONMENT, with_pip=True)
        install = [str(programs / "python"), "-m", "pip", "install", "-q", "--compile", "-c", str(ROOT / "constraints.txt")]
        subprocess.run([*install, "-e", str(ROOT), "nbgrader", "otter-grader", "ipykernel"], check=True)
    return programs


def notebook(folder: str, *, nbgrader: bool) -> dict[str, Any]:
    """A submission as a notebook: a cell that imports the student's modules, and for nbgrader a cell a check."""

    def cell(source: str, number: int, **metadata: Any) -> dict[str, Any]:
        kept = {"nbgrader": {"schema_version": 3, "task": False, "locked": False, "solution": False, **metadata}} if nbgrader else {}
        return {"cell_type": "code", "id": f"cell-{number}", "metadata": kept, "source": source, "outputs": [], "execution_count": None}

    student = f"{GRADER}; modules = modules_of({folder!r})"
    cells = [cell(student, 0, grade_id="student", solution=True, grade=False)]
    if nbgrader:
        asked = ((f"ask({check!r}, modules)", check.replace("/", "-")) for check in CHECKS)
        cells += [cell(source, n, grade_id=name, points=1, grade=True, locked=True) for n, (source, name) in enumerate(asked, start=1)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def write_notebook(file: Path, folder: str, *, nbgrader: bool) -> None:
    """Writes it, folders and all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(notebook(folder, nbgrader=nbgrader)), encoding="utf-8")


def run(command: list[str | Path], folder: Path, **changed: str) -> None:
    """Runs a command of another tool; its output is shown only when it fails."""
    # nbgrader calls alembic, and Jupyter finds its kernel, by the path.
    path = os.pathsep.join((str(Path(command[0]).parent), os.environ["PATH"]))
    known = os.environ | {"PATH": path} | changed
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False, env=known)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def fresh_pytest(work: Path, places: list[Path]) -> Callable[[], int]:
    """A process of pytest a submission, with this environment."""
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", work, "-p", "no:cacheprovider"]

    def grade() -> int:
        for place in places:
            run([*command, ROOT / "benchmarks" / "_direct.py"], work, SUBMISSION=str(place))
        return len(places) * len(CHECKS)

    return grade


def nbgrader(work: Path, places: list[Path], programs: Path) -> Callable[[], int]:
    """One `nbgrader autograde` for the class; the assignment is generated before."""
    course = work / "course"
    write_notebook(course / "source" / "lab" / "lab.ipynb", str(places[0]), nbgrader=True)
    for place in places:
        write_notebook(course / "submitted" / place.name / "lab" / "lab.ipynb", str(place), nbgrader=True)
    run([programs / "nbgrader", "generate_assignment", "lab", "--create"], course)

    def grade() -> int:
        run([programs / "nbgrader", "autograde", "lab", "--force", "--ExecutePreprocessor.timeout=300"], course)
        query = "from nbgrader.api import Gradebook; print(sum(s.score for s in Gradebook('sqlite:///gradebook.db').assignment_submissions('lab')))"
        return int(float(subprocess.check_output([programs / "python", "-c", query], cwd=course, text=True)))

    return grade


def otter(work: Path, places: list[Path], programs: Path) -> Callable[[], int]:
    """`otter run` a submission, without a container."""
    tests = work / "otter" / "tests"
    tests.mkdir(parents=True)
    for check in CHECKS:
        name = check.replace("/", "_")
        lines = (
            "from otter.test_files import test_case",
            "OK_FORMAT = False",
            f"name = {name!r}",
            "points = 1",
            "@test_case(points=1)",
            "def asked(ask, modules):",
            f"    ask({check!r}, modules)",
        )
        (tests / f"{name}.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run([programs / "otter", "generate", "-t", "tests", "-o", "autograder.zip", "--no-environment"], work / "otter")
    for place in places:
        write_notebook(work / "otter" / f"{place.name}.ipynb", str(place), nbgrader=False)
        (work / "otter" / place.name).mkdir()

    def grade() -> int:
        passed = 0.0
        for place in places:
            run([programs / "otter", "run", f"{place.name}.ipynb", "-a", "autograder.zip", "-o", place.name], work / "otter")
            results = json.loads((work / "otter" / place.name / "results.json").read_text(encoding="utf-8"))
            passed += sum(test.get("score", 0.0) for test in results["tests"])
        return int(passed)

    return grade


def lab_batch(work: Path, processes: int) -> Callable[[], int]:
    """`lab batch` into a new store."""

    def grade() -> int:
        import sqlalchemy as sa

        from grader.store import schema
        from grader.store.results import Results

        store = work / f"batch-{processes}-{time.monotonic_ns()}.db"
        timed_batch(work / "class", store, KEYWORD, processes)
        with Results.open(str(store)) as opened, opened.read() as session:
            return session.scalar(sa.select(sa.func.count()).where(schema.Check.state == "passed")) or 0

    return grade


def own_s(place: Path) -> float:
    """Seconds that the checks of one submission take in a process that has run them before."""
    again = "for check in CHECKS: ask(check, modules)"
    lines = (
        GRADER,
        "import time",
        "from _direct import CHECKS",
        f"modules = modules_of({str(place)!r})",
        again,
        "",
        "started = time.perf_counter()",
        again,
        "",
        "print(time.perf_counter() - started)",
    )
    code = "\n".join(lines)
    return float(subprocess.check_output([sys.executable, "-c", code], text=True, stderr=subprocess.DEVNULL))


def main() -> None:
    """Grades the class with all of them and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--submissions", type=int, default=24)
    count = parser.parse_args().submissions
    programs = environment()
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as place:
        work = Path(place)
        make_class(work / "class", count)
        places = sorted((work / "class").iterdir())
        processes, _ = processes_here()
        ways = {
            "fresh pytest process": fresh_pytest(work, places),
            "nbgrader autograde": nbgrader(work, places, programs),
            "otter run": otter(work, places, programs),
            "lab batch, one process": lab_batch(work, 1),
            f"lab batch, {processes} processes": lab_batch(work, processes),
        }
        own = own_s(places[0])
        took: dict[str, float] = {}
        for name, grade in ways.items():
            started = time.perf_counter()
            passed = grade()
            took[name] = time.perf_counter() - started
            if passed != count * len(CHECKS):
                raise SystemExit(f"{name}: expected {count * len(CHECKS)} checks to pass, received {passed}")
            print(f"{name}: {took[name]:.1f} s", file=sys.stderr, flush=True)
    table = Table("", "class, s", "a submission, s", "beyond own, s", "class: times ours", "beyond own: times ours")
    best, ours = list(took.values())[-1], took["lab batch, one process"] / count - own
    for name, seconds in took.items():
        beyond = seconds / count - own
        table.add_row(name, f"{seconds:.1f}", f"{seconds / count:.2f}", f"{beyond:.2f}", f"{seconds / best:.1f}", f"{beyond / ours:.1f}")
    Console().print(f"{count} submissions, {len(CHECKS)} checks each, which take {own:.2f} s in a warm process ({KEYWORD})")
    Console().print(table)


if __name__ == "__main__":
    main()
