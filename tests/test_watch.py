"""`lab watch`: which sections a save touches, and a real watch that grades after a save on the warm zygote."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from watchfiles import Change

from grader.bank import write_reference
from grader.errors import LabError
from grader.watch import affected, watch

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("saved", "expected"),
    [
        (["data.py"], ["data"]),
        (["timing.py", "model.py"], ["model", "timing"]),
        (["findings.toml"], ["data", "model", "timing"]),
        (["training.py", "notes.py"], []),
    ],
)
def test_affected(saved: list[str], expected: list[str]) -> None:
    """A module touches its own section, the findings touch all that is watched, anything else nothing."""
    changes = [(Change.modified, f"/somewhere/assignment/{name}") for name in saved]
    assert affected(changes, ["data", "model", "timing"]) == expected


def test_no_folder(tmp_path: Path) -> None:
    """A folder that does not exist is one sentence."""
    with pytest.raises(LabError, match="Expected a folder to watch"):
        watch(tmp_path / "nothing", ["data"], None)  # type: ignore[arg-type]


def test_a_save_is_graded_on_the_warm_zygote(tmp_path: Path) -> None:
    """After a save the section is graded again by the same zygote; `lab grade` beside it uses it too; after Ctrl-C nothing is left."""
    folder = write_reference(ROOT / "solutions", tmp_path / "assignment")
    environment = {**os.environ, "LAB_RUNTIME_DIR": str(tmp_path / "runtime")}
    command = [sys.executable, "-m", "grader"]
    watching = subprocess.Popen(
        [*command, "watch", str(folder), "--section", "timing"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    assert watching.stdout is not None
    try:
        first = _score(watching)
        (zygote,) = psutil.Process(watching.pid).children()
        file = folder / "timing.py"
        file.write_text(file.read_text().replace("count=len(images),", "count=len(images) + 1,"))
        assert _score(watching) < first
        graded = subprocess.run([*command, "grade", str(folder), "-k", "epochs_needed"], env=environment, capture_output=True, text=True)
        assert "training 1/1" in graded.stdout
        assert psutil.Process(watching.pid).children() == [zygote]
        children = [zygote, *zygote.children(recursive=True)]
    finally:
        watching.send_signal(signal.SIGINT)
        watching.wait(30)
        watching.stdout.close()
    assert watching.returncode == 130
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert gone
    assert not list((tmp_path / "runtime").glob("*.sock"))


def _score(process: subprocess.Popen[str]) -> float:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.match(r"timing ([\d.]+)/20", line):
            return float(found[1])
    raise AssertionError("lab watch ended without a verdict")
