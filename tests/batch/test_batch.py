"""A whole class through the real command: killed and given again, cached, on two databases and on a cluster."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from databases import new_database
from once import once
from processes import children_running

from grader.batch.compare import changes
from grader.batch.sample import SampleClass
from grader.store.results import Results

from .conftest import CHECKS, Batch, Grades, counted, ended, grades


@pytest.fixture(scope="module")
def undisturbed(batch: Batch, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Grades]:
    """A run that nothing disturbed: its store, not to be changed, and its grades."""
    url = str(once(tmp_path_factory, "undisturbed", lambda folder: ended(batch(str(folder / "grades.db")))) / "grades.db")
    return url, grades(url)


def checks_stored(url: str) -> int:
    """Checks in an SQLite store that is being written."""
    if not Path(url).exists():
        return 0
    try:
        with sqlite3.connect(f"file:{url}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM checks").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def wait_for_checks(process: subprocess.Popen[str], url: str, least: int) -> None:
    """Waits until so many checks are stored."""
    while checks_stored(url) < least:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)


def graders_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The grader processes of a command."""
    return children_running(psutil.Process(process.pid), "grader.batch.process")


def test_each_submission_costs_only_its_own_points(undisturbed: tuple[str, Grades], sample: SampleClass) -> None:
    """Right submissions get all points beside ones that hang, leave, eat memory or are no zip; all of them are in the run."""
    _, found = undisturbed
    assert len(found) == sample.submissions >= 24
    scores = [score for score, _ in found.values()]
    full = max(scores)
    assert scores.count(full) >= 10
    assert scores.count(-1.0) == 2
    hanging = next(checks for label, (_, checks) in found.items() if label.startswith("smithmaryann"))  # "eats_memory" and the like
    assert len(hanging) == len(next(iter(found.values()))[1])
    partly = [score for score in scores if 0 <= score < full]
    assert len(partly) >= 5


def test_kill_in_the_middle(batch: Batch, undisturbed: tuple[str, Grades], tmp_path: Path) -> None:
    """Kill -9 of the command, then of a grader process, then Ctrl-C; the same command ends with the grades of an undisturbed run."""
    url = str(tmp_path / "grades.db")
    process = batch(url)
    wait_for_checks(process, url, 12)
    graders = graders_of(process)
    process.kill()
    process.communicate()
    stored = checks_stored(url)
    for grader in graders:
        grader.wait(30)  # none outlives the command
    process = batch(url)
    wait_for_checks(process, url, stored + 6)
    victims = graders_of(process)
    victims[0].kill()
    wait_for_checks(process, url, stored + 14)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    text = ended(batch(url))
    assert "which went on" in text
    assert grades(url) == undisturbed[1]
    assert counted(url) == counted(undisturbed[0])


def test_graders_that_get_no_job_end(sample: SampleClass, tmp_path: Path) -> None:
    """For a new class graders start before the download is read; where that ends with a sentence, none stays."""
    mark = f"graders-without-a-job-{os.getpid()}"
    command = [sys.executable, "-m", "grader", "batch", str(sample.source), "--db", str(tmp_path / "new.db"), "--roster", "none.csv"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"LAB_TEST_MARK": mark})
    assert done.returncode == 2
    assert "none.csv" in done.stderr
    left = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("LAB_TEST_MARK") == mark:
                left.append(process)
    assert psutil.wait_procs(left, timeout=10)[1] == []


def test_second_time_nothing_runs(batch: Batch, undisturbed: tuple[str, Grades], tmp_path: Path) -> None:
    """The same class again: all of it is there already, no grader process starts, and the grades are the same."""
    url = str(tmp_path / "grades.db")
    with sqlite3.connect(undisturbed[0]) as source, sqlite3.connect(url) as copy:
        source.backup(copy)
    _, gradings, checks = counted(url)
    text = ended(batch(url))
    assert " 0 graded now" in text
    assert counted(url) == (2, gradings, checks)
    assert grades(url) == undisturbed[1]


def test_other_selection_runs_only_what_is_new(batch: Batch, undisturbed: tuple[str, Grades], tmp_path: Path) -> None:
    """A run with one check more takes the others over, with the result and the time that they had."""
    url = str(tmp_path / "grades.db")
    with sqlite3.connect(undisturbed[0]) as source, sqlite3.connect(url) as copy:
        source.backup(copy)
    ended(batch(url, "--processes", "1", keyword="epochs_needed or output_size or wilson or class_counts"))
    with sqlite3.connect(url) as connection:
        rows = connection.execute("SELECT name, reused, count(*) FROM checks GROUP BY name, reused").fetchall()
    fresh = {name for name, reused, _ in rows if not reused}
    again = {name for name, reused, _ in rows if reused}
    assert len(again) == 3
    assert len(fresh - again) == 1


def test_force_grades_anew_and_keeps_what_was(batch: Batch, undisturbed: tuple[str, Grades], tmp_path: Path) -> None:
    """--force grades all again, beside what earlier runs gave; killed in the middle, the same command goes on; nobody's grade differs."""
    url = str(tmp_path / "grades.db")
    with sqlite3.connect(undisturbed[0]) as source, sqlite3.connect(url) as copy:
        source.backup(copy)
    _, gradings, checks = counted(url)
    process = batch(url, "--force", keyword=CHECKS)
    wait_for_checks(process, url, checks + 10)
    process.kill()
    process.communicate()
    ended(batch(url, "--force", keyword=CHECKS))
    assert counted(url) == (2, 2 * gradings, 2 * checks)
    assert grades(url) == undisturbed[1]
    with Results.open(url) as store:
        assert changes(store, store.run(1), store.run(2)) == []


def test_same_on_postgresql_by_two_at_once(batch: Batch, undisturbed: tuple[str, Grades], postgres: str) -> None:
    """Two instructors grade the same class into one PostgreSQL store at once: the grades of SQLite, each once."""
    url = new_database(postgres)
    both = [batch(url, "--processes", "1") for _ in range(2)]
    for process in both:
        ended(process)
    assert grades(url) == undisturbed[1]
    assert counted(url)[1:] == counted(undisturbed[0])[1:]


@pytest.fixture
def cluster(environment: dict[str, str], tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A Dask scheduler and two worker processes."""
    file = tmp_path / "scheduler.json"
    common = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    quiet = ["--no-dashboard", "--scheduler-file", str(file)]
    started = [
        subprocess.Popen([sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *quiet], **common)
    ]
    try:
        while not file.exists():
            assert started[0].poll() is None
            time.sleep(0.05)
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny", *quiet]
        started += [subprocess.Popen(worker, **common) for _ in range(2)]
        yield json.loads(file.read_text())["address"], started
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def test_same_on_a_cluster_that_loses_a_worker(
    batch: Batch, undisturbed: tuple[str, Grades], cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    """Over Dask, with one of two workers killed during the run: the same grades, each once."""
    address, processes = cluster
    url = str(tmp_path / "grades.db")
    process = batch(url, "--scheduler", address)
    wait_for_checks(process, url, 8)
    os.kill(processes[1].pid, signal.SIGKILL)
    ended(process)
    assert grades(url) == undisturbed[1]
    assert counted(url)[1:] == counted(undisturbed[0])[1:]
