"""Turns on a machine, taken by real processes."""

from __future__ import annotations

import select
import subprocess
import sys
from pathlib import Path

import pytest

from grader.host.alone import machine_turn

HOLD = """
import sys
from grader.host.alone import machine_turn
with machine_turn(alone=sys.argv[1] == "alone"):
    print("in", flush=True)
    sys.stdin.readline()
"""


def start(kind: str) -> subprocess.Popen[str]:
    """A process that takes a turn, says so, and keeps it until it is told a line."""
    return subprocess.Popen([sys.executable, "-c", HOLD, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


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
