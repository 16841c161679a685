"""Turns on a machine, taken by real processes."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from grader.host.alone import machine_turn

HOLD = """
import sys
from grader.capacity import keep_to
from grader.host.alone import machine_turn
keep_to([int(core) for core in sys.argv[2:]])
with machine_turn(alone=sys.argv[1] == "alone"):
    print("in", flush=True)
    sys.stdin.readline()
"""


def start(kind: str, *cores: int) -> subprocess.Popen[str]:
    """A process that takes a turn, says so, and keeps it until it is told a line; it runs on these cores only, or on all."""
    return subprocess.Popen([sys.executable, "-c", HOLD, kind, *map(str, cores)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def is_in(process: subprocess.Popen[str]) -> bool:
    """Waits until the process has its turn."""
    assert process.stdout is not None
    return process.stdout.readline() == "in\n"


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks of this test's own."""
    monkeypatch.setenv("LAB_TURNS", str(tmp_path / "turns"))


def test_usual_checks_run_side_by_side() -> None:
    """Two usual turns are held at the same time."""
    with machine_turn(alone=False):
        other = start("beside")
        assert is_in(other)
        other.communicate("\n")
        assert other.returncode == 0


def test_alone_waits_and_lets_nobody_in() -> None:
    """One that must be alone has its turn only when the others have ended, and those that come after it wait."""
    first = start("beside")
    assert is_in(first)
    alone = start("alone")
    assert alone.stdout is not None
    assert select.select([alone.stdout], [], [], 2.0)[0] == []
    first.communicate("\n")
    assert is_in(alone)
    later = start("beside")
    assert later.stdout is not None
    assert select.select([later.stdout], [], [], 2.0)[0] == []
    alone.communicate("\n")
    assert is_in(later)
    later.communicate("\n")


def test_graders_on_other_cores_are_no_neighbours() -> None:
    """One that is alone on its core lets those on other cores in, but none on the same and none that may run on all."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        pytest.skip("this machine has ONE core: that graders on other cores do not wait for one another is NOT tested")
    first, second = cores[:2]
    alone, beside = start("alone", first), start("alone", second)
    assert is_in(alone)
    assert is_in(beside)
    same, everywhere = start("beside", first), start("beside")
    for waiting in (same, everywhere):
        assert waiting.stdout is not None
        assert select.select([waiting.stdout], [], [], 1.0)[0] == []
    alone.communicate("\n")
    assert is_in(same)
    beside.communicate("\n")
    assert is_in(everywhere)
    for process in (same, everywhere):
        process.communicate("\n")


def test_killed_holder_leaves_its_turn() -> None:
    """Kill -9 of a process that is alone gives the turn back."""
    alone = start("alone")
    assert is_in(alone)
    alone.kill()
    alone.communicate()
    after = start("alone")
    assert is_in(after)
    after.communicate("\n")
    assert after.returncode == 0
