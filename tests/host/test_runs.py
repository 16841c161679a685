"""Whole runs: warm zygotes, the same grade each time, interruption, and what the trusted process never imports."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from processes import children_running

from grader.checks.check import seed_of
from grader.grade import grade
from grader.host.launch import Launcher, ZygoteLauncher
from grader.host.warm import WarmZygote, connect_warm, socket_path
from grader.results import GradeResult

from .conftest import SOLUTIONS, Make
from .test_faults import HEAD, alive

KEYWORD = "training and (early_stopping or epochs_needed or sweep)"


def plain(result: GradeResult) -> Any:
    """A result without what depends on the time."""
    checks = tuple(dataclasses.replace(check, duration_s=0.0) for check in result.checks)
    return dataclasses.replace(result, checks=checks, started_at="", duration_s=0.0)


def zygotes_of(process: psutil.Process) -> list[psutil.Process]:
    """The zygotes that a process has started; one in a jail is known by the jail's process."""
    return children_running(process, "grader.worker.zygote")


def workers_of(process: psutil.Process) -> set[int]:
    """The forks of a process's zygotes."""
    found = set()
    for child in process.children(recursive=True):
        try:
            line, above = child.cmdline(), child.parent()
            if above is not None and line == above.cmdline() and "bwrap" not in line[0]:
                found.add(child.pid)
        except psutil.Error:
            continue
    return found


def test_same_submission_same_result(shared: Launcher, make: Make) -> None:
    """Two gradings differ in nothing but times, down to the examples that are shown; so does a secret's."""
    folder = make(training=f"{HEAD}    return (1, 1)\n")
    first, second = (grade(folder, keyword=KEYWORD, launcher=shared) for _ in range(2))
    assert plain(first) == plain(second)
    assert not first.official
    official = [grade(folder, keyword=KEYWORD, launcher=shared, secret=b"course") for _ in range(2)]
    assert plain(official[0]) == plain(official[1])
    assert official[0].official
    assert official[0].score == first.score


def test_secret_changes_seeds(shared: Launcher, make: Make) -> None:
    """The public seed, a secret and another secret draw different examples, and a check's seed tells nothing of another's."""
    seeds = [seed_of(secret, name) for secret in (None, b"a", b"b", b"public") for name in ("x/y", "x/z")]
    assert len(set(seeds)) == len(seeds)
    assert {len(seed) for seed in seeds} == {32}
    swapped = (SOLUTIONS / "chaffs" / "training_sweep_order_swapped" / "training.py").read_text(encoding="utf-8")
    folder = make(training=swapped)
    asked = []
    for secret in (None, b"a", b"b"):
        (check,) = grade(folder, keyword="training and sweep", launcher=shared, secret=secret).checks
        assert check.feedback is not None
        asked.append(check.feedback.comparison)
    assert len(set(asked)) == 3


def test_warm_zygote_is_shared(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a warm zygote listens, runs start none of their own; a stale socket is replaced; at the end nothing is left."""
    monkeypatch.setenv("LAB_RUNTIME_DIR", str(tmp_path / "run"))
    path = socket_path()
    path.parent.mkdir(mode=0o700)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)) as stale:
        stale.bind(str(path))
    assert path.exists()
    assert connect_warm() is None
    me = psutil.Process()
    before = len(zygotes_of(me))
    folder = make()
    with WarmZygote():
        (warm,) = [zygote for zygote in zygotes_of(me) if "--listen" in zygote.cmdline()]
        with WarmZygote():  # a second one finds the first
            assert len(zygotes_of(me)) == before + 1
        for _ in range(2):
            with closing(ZygoteLauncher()) as using:
                assert using.warm
                result = grade(folder, keyword="epochs_needed", launcher=using)
                assert result.score == result.points > 0
        assert len(zygotes_of(me)) == before + 1
        with closing(ZygoteLauncher()) as one, closing(ZygoteLauncher()) as other:  # two runs at once
            assert (
                grade(folder, keyword="epochs_needed", launcher=one).score == grade(folder, keyword="epochs_needed", launcher=other).score
            )
        end = time.monotonic() + 5
        while workers_of(me) and time.monotonic() < end:
            time.sleep(0.02)
        assert workers_of(me) == set()
    assert not path.exists()
    assert connect_warm() is None
    assert not alive(warm.pid)


def test_nothing_is_kept_warm_on_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where workers are plain processes, `lab watch` starts no zygote, which such a system could not fork."""
    monkeypatch.setattr(sys, "platform", "darwin")
    before = len(zygotes_of(psutil.Process()))
    with WarmZygote() as warm:
        assert warm._process is None
        assert len(zygotes_of(psutil.Process())) == before


def test_foreign_sockets_are_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain file or a link in the place of the socket is not connected to."""
    monkeypatch.setenv("LAB_RUNTIME_DIR", str(tmp_path))
    socket_path().write_text("not a socket")
    assert connect_warm() is None
    socket_path().unlink()
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)) as listening:
        listening.bind(str(tmp_path / "real"))
        listening.listen()
        socket_path().symlink_to(tmp_path / "real")
        assert connect_warm() is None


WITNESS = """
import json, sys
from pathlib import Path
from grader.grade import grade
result = grade(Path(sys.argv[1]), keyword="training and (epochs_needed or train_learns)")
watched = ("tensorflow", "keras", "assignment", "training", "solutions")
print(json.dumps({
    "modules": [name for name in sys.modules if name.partition(".")[0] in watched],
    "checks": [[check.name, str(check.state)] for check in result.checks],
}))
"""


def test_trusted_process_imports_no_tensorflow_and_no_submission(make: Make, tmp_path: Path) -> None:
    """After a grading the grader has neither TensorFlow nor the submission in memory, and modules in the working folder were not met."""
    work = tmp_path / "work"
    work.mkdir()
    for name in ("numpy", "tensorflow", "msgpack", "training"):
        (work / f"{name}.py").write_text("raise SystemExit('a module of the working folder was imported')\n", encoding="utf-8")
    (tmp_path / "witness.py").write_text(WITNESS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(tmp_path / "witness.py"), str(make())], capture_output=True, text=True, cwd=work, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["modules"] == []
    assert told["checks"] == [["training/train_learns", "passed"], ["training/epochs_needed", "passed"]]


@pytest.mark.parametrize("when", ["starting", "running"])
def test_interrupt_leaves_no_process(make: Make, tmp_path: Path, when: str) -> None:
    """Ctrl-C while the zygote starts, or while a submission hangs, ends `lab grade` and everything that it started."""
    folder = make(training=f"{HEAD}    import time\n    time.sleep(60)\n")
    command = [sys.executable, "-c", "from grader.cli import main; main()", "grade", str(folder), "-k", "early_stopping"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True, cwd=tmp_path)
    try:
        me = psutil.Process(process.pid)
        end = time.monotonic() + 60
        while not (zygotes_of(me) if when == "starting" else workers_of(me)):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        family = [child.pid for child in me.children(recursive=True)]
        assert family
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode != 0
        assert b"Traceback" not in errors, errors.decode()[-1500:]
        # A zygote that was interrupted in its very first moment sees its closed connection when TensorFlow is imported.
        end = time.monotonic() + 40
        while any(alive(pid) for pid in family) and time.monotonic() < end:
            time.sleep(0.02)
        assert [pid for pid in family if alive(pid)] == []
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()
    assert not list(Path(tmp_path).glob("lab-*"))
