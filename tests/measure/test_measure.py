"""`lab measure` on a real, small data set with the reference: what it writes, how it continues, and what it says of bad input."""

from __future__ import annotations

import io
import json
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from once import once
from rich.console import Console

from grader.artifacts import Kernels, Machine, Results, Timings, Training, read_weights
from grader.bank import write_reference
from grader.checks.expected import findings_toml
from grader.dataset.layout import Size
from grader.dataset.make import make_dataset
from grader.errors import DataError, LabError, MeasureError
from grader.host.launch import launcher
from grader.host.warm import WarmZygote
from grader.lab import BATCH_SIZES, ONLINE_COUNTS
from grader.measure import measure, run, state, steps
from grader.measure.plan import Plan

SOLUTIONS = Path(__file__).parents[2] / "solutions"
TINY = Plan("quick", repeats=1, per_class=1, epoch_limit=1, batch_size=64, sweep_classes=3, sweep_limits=(1,), sweep_batches=(32, 64))


FAST_TIMING = """
def rows(counts, sizes):
    return [
        {"count": count, "batch_size": size, "total_s": count / 1000, "latency_ms": float(size), "images_per_second": 1000.0}
        for count, size in zip(counts, sizes)
    ]

def online_sweep(predict, images, counts, **_):
    return rows(counts, [1] * len(counts))

def batch_sweep(predict, images, batch_sizes, **_):
    return rows([len(images)] * len(batch_sizes), batch_sizes)
"""
"""A timing.py whose figures are made up, for tests in which it matters only that something is measured."""


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole data set of 200 classes with two images a class."""
    return once(tmp_path_factory, "measure-data", lambda folder: make_dataset(folder / "tiny", Size("tiny", 2, 5, 1))) / "tiny"


@pytest.fixture(autouse=True)
def tiny_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tests measure as little as possible."""
    monkeypatch.setattr(run, "plan_named", lambda _: TINY)


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One warm zygote for all runs, without a jail as in `lab measure`: TensorFlow is imported once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        patch.setenv("LAB_TIER", "C")
        patch.setattr(run, "launcher", lambda devices: launcher())
        with WarmZygote():
            yield


@pytest.fixture(scope="module")
def measured(data: Path, warm: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference, measured once; not to be changed."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run, "plan_named", lambda _: TINY)
            measure(write_reference(SOLUTIONS, folder / "solutions"), data, console=quiet())

    return once(tmp_path_factory, "measured", make) / "solutions"


def quiet() -> Console:
    """A console that keeps what is printed."""
    return Console(record=True, width=200, file=io.StringIO())


def test_results_are_whole(measured: Path) -> None:
    """Every file of results/ is there and reads back, with the counts, batch sizes and settings that were asked for."""
    results = Results(measured)
    timings, training = results.read(Timings), results.read(Training)
    assert [run.count for run in timings.online] == list(ONLINE_COUNTS)
    assert [run.batch_size for run in timings.batches] == list(BATCH_SIZES)
    assert all(len(run.totals_s) == TINY.repeats and run.total_s in run.totals_s for run in (*timings.online, *timings.batches))
    assert [(run.epoch_limit, run.batch_size) for run in training.sweep] == [(1, 32), (1, 64)]
    assert len(results.read(Kernels).samples) == len(results.traces()) == 3
    assert results.read(Machine).sources["timing.py"] == state.source_digest(measured / "timing.py")
    assert sum(array.size for array in read_weights(results.folder / "weights.safetensors")) == 770_216


def test_the_middle_one_of_several_runs_counts() -> None:
    """Of three runs the one with the middle total is reported, with all totals; of two the quicker one."""
    runs = [{"count": 10, "total_s": total} for total in (3.0, 1.0, 2.0)]
    assert steps.median_run(runs) == {"count": 10, "total_s": 2.0, "totals_s": [3.0, 1.0, 2.0]}
    assert steps.median_run(runs[:2])["total_s"] == 1.0


def test_findings_follow_from_the_results(measured: Path) -> None:
    """The reference's findings can be filled in from what was measured; nothing stays unanswered."""
    text = findings_toml(measured / "findings.toml", Results(measured))
    assert f'slowest_layer = "{max(Results(measured).read(Kernels).samples[0].rows, key=lambda row: row.duration_us).layer}"' in text
    tables = tomllib.loads(text)
    assert "?" not in [value for table in tables.values() for value in table.values()]


def test_measured_again_nothing_runs(measured: Path, data: Path, tmp_path: Path) -> None:
    """A second run finds every step done and leaves the raw samples as they are."""
    folder = tmp_path / "assignment"
    shutil.copytree(measured, folder)
    console = quiet()
    measure(folder, data, console=console)
    assert console.export_text().count("done before") == 5
    assert (folder / "results" / "timings.json").read_text() == (measured / "results" / "timings.json").read_text()


def test_only_what_a_changed_module_touches_runs_again(measured: Path, data: Path, tmp_path: Path) -> None:
    """A change in timing.py measures the timings anew; profile and training stay."""
    folder = tmp_path / "assignment"
    shutil.copytree(measured, folder)
    (folder / "timing.py").write_text(FAST_TIMING)
    console = quiet()
    measure(folder, data, console=console)
    text = console.export_text()
    assert text.count("done before") == 4
    assert "measured      online and batch inference" in text


def test_a_section_that_is_not_started_stops_only_its_step(measured: Path, data: Path, tmp_path: Path) -> None:
    """With profiling not written, what comes after it is measured and kept, and the message names the function."""
    folder = tmp_path / "assignment"
    shutil.copytree(measured, folder)
    for name in ("kernels", "timings"):
        (folder / "results" / f"{name}.json").unlink()
    (folder / "timing.py").write_text(FAST_TIMING)
    shutil.copyfile(SOLUTIONS.parent / "assignment" / "profiling.py", folder / "profiling.py")
    with pytest.raises(MeasureError, match=r"1 of 5 steps .* not started yet: assignment/profiling.py:\d+ capture_trace"):
        measure(folder, data, console=quiet())
    assert Results(folder).read(Timings).online
    assert not (folder / "results" / "kernels.json").exists()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def online_sweep(*a, **k): return None\ndef batch_sweep(*a, **k): return None\n", "should be a list or a tuple"),
        ("def online_sweep(*a, **k): raise ValueError('oops')\n", "timing.online_sweep raised ValueError: oops"),
        ("def online_sweep(*a, **k): return [dict(count=1, batch_size=1, total_s=float('nan'), latency_ms=1, images_per_second=1)] * 3\n"
         "def batch_sweep(*a, **k): return online_sweep() + online_sweep()[:1]\n", "a function returned what cannot be"),
        ("import os\ndef online_sweep(*a, **k): os._exit(3)\n", "ended the Python process with status 3"),
        ("def online_sweep(:\n", "assignment/timing.py:1 cannot be imported: SyntaxError"),
    ],
)  # fmt: skip
def test_wrong_functions_are_told(measured: Path, data: Path, tmp_path: Path, source: str, told: str) -> None:
    """A wrong type, an exception, NaN, an exit and a syntax error are one sentence each, and the other steps are kept."""
    folder = tmp_path / "assignment"
    shutil.copytree(measured, folder)
    (folder / "timing.py").write_text(source)
    with pytest.raises(MeasureError) as error:
        measure(folder, data, console=quiet())
    assert told in str(error.value)
    assert Results(folder).read(Training).main.val_total == 1000


def test_no_data_half_data_no_submission(data: Path, measured: Path, tmp_path: Path) -> None:
    """A missing folder, a data set with a class gone, and a folder without modules are told before anything runs."""
    with pytest.raises(DataError, match=r"There is no data folder .*lab data make"):
        measure(measured, tmp_path / "nothing", console=quiet())
    half = tmp_path / "half"
    shutil.copytree(data, half)
    wnid = (half / "wnids.txt").read_text().split()[0]
    shutil.rmtree(half / "train" / wnid)
    with pytest.raises(DataError, match=rf"is not whole: .*{wnid}"):
        measure(measured, half, console=quiet())
    with pytest.raises(LabError, match="Expected a folder with the lab's files"):
        measure(tmp_path, data, console=quiet())


def test_a_full_disk_loses_nothing(measured: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full while results are written, one sentence says so, and the old results are still whole."""
    folder = tmp_path / "assignment"
    shutil.copytree(measured, folder)
    before = (folder / "results" / "timings.json").read_bytes()
    monkeypatch.setattr(state.os, "fsync", _full)
    (folder / "timing.py").write_text(FAST_TIMING)
    with pytest.raises(MeasureError, match=r"The disk is full: .*timings.json could not be written"):
        measure(folder, data, console=quiet())
    assert (folder / "results" / "timings.json").read_bytes() == before
    assert not list(folder.rglob("*.part"))


def _full(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_damaged_state_is_measured_again(measured: Path, data: Path, tmp_path: Path) -> None:
    """A state file that was cut in half counts as not measured."""
    folder = tmp_path / "assignment"
    shutil.copytree(measured, folder)
    file = folder / "results" / ".state" / "sweep-1-64.json"
    file.write_text(file.read_text()[: file.stat().st_size // 2])
    console = quiet()
    measure(folder, data, console=console)
    assert console.export_text().count("done before") == 4


def test_ctrl_c_stops_cleanly_and_the_next_run_continues(data: Path, tmp_path: Path) -> None:
    """After SIGINT in the middle the command ends with 130 and one line, no process stays, and what was measured is not measured again."""
    folder = write_reference(SOLUTIONS, tmp_path / "assignment")
    command = [sys.executable, "-m", "grader", "measure", str(folder), "--data", str(data), "--plan", "quick"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    kept = folder / "results" / ".state" / "kernels.json"
    while not kept.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, output + errors
    assert "Traceback" not in output + errors
    assert json.loads(kept.read_text())["outcome"]["samples"]
    console = quiet()
    # The quick plan of the command and this test's plan differ, so the step is asked for by the same identity as the command's.
    from grader.measure.plan import QUICK

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "plan_named", lambda _: QUICK)
        patch.setattr(run, "_steps", _first_step_only)
        measure(folder, data, console=console)
    assert "done before   profile of three images" in console.export_text()


_steps = run._steps


def _first_step_only(bench: object) -> list[run.Step]:
    return _steps(bench)[:1]  # type: ignore[arg-type]
