"""Handing in: what is missing is said in one sentence, what is packed is exactly what was expected, and the receipt is true."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from grader.errors import SubmissionError
from grader.host.intake import take
from grader.lab import FINDINGS_FILE, MODULE_FILES, SECTIONS
from grader.results import CheckResult, GradeResult, State
from grader.submit import LARGEST_BYTES, find_missing, submit

RESULT = GradeResult(
    "assignment",
    "ab" * 32,
    (CheckResult("data/all", "All", State.PARTIAL, 20, 18.5), CheckResult("model/all", "All", State.PASSED, 20, 20)),
    False,
    "0.1.0",
    "zygote",
    "2026-01-01T00:00:00Z",
    1.0,
)


def example_results(sources: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Small results that keep every rule of the form."""
    timing = {"count": 10, "batch_size": 1, "total_s": 1.0, "latency_ms": 100.0, "images_per_second": 10.0, "totals_s": [1.0]}
    row = {"layer": "conv2", "kernel": "_FusedConv2D", "duration_us": 400.0}
    setting = {"batch_size": 32, "epoch_limit": 5, "epochs_run": 2, "train_accuracy": 0.3, "val_accuracy": 0.2, "seconds": 9.0}
    history = {"loss": [5.0, 4.0], "accuracy": [0.1, 0.3], "val_loss": [5.0, 4.5], "val_accuracy": [0.1, 0.2]}
    main = {"batch_size": 32, "epoch_limit": 5, "min_delta": 0.01, "patience": 2, "history": history}
    machine = {"cpu": "a CPU", "cores": 2, "memory_bytes": 2**33, "system": "Linux", "python": "3.12.1", "tensorflow": "2.21.0"}
    machine |= {"keras": "3.15.1", "threads": {"intra": 0, "inter": 0}, "load_average": [0.1], "measured_at": "2026-01-01T00:00:00Z"}
    machine |= {"plan": "quick", "dataset": {"name": "embedded-small", "manifest_sha256": "ab" * 32}, "sources": sources}
    bodies = {
        "machine": machine,
        "kernels": {"samples": [{"image": f"val_{n}.JPEG", "label": n, "end_to_end_us": 1000.0, "rows": [row]} for n in range(3)]},
        "timings": {"online": [timing], "batches": [timing]},
        "training": {"main": {**main, "val_correct": 200, "val_total": 1000, "seconds": 20.0}, "sweep": [setting]},
    }
    return {f"{kind}.json": {"version": 1, "kind": kind, **body} for kind, body in bodies.items()}


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    """A complete submission."""
    folder = tmp_path / "assignment"
    (folder / "results" / "trace").mkdir(parents=True)
    for name in MODULE_FILES:
        (folder / name).write_text(f"# {name}\n")
    (folder / FINDINGS_FILE).write_text("".join(f"[{section}]\nanswer = 1\n" for section in SECTIONS))
    sources = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in MODULE_FILES}
    for name, document in example_results(sources).items():
        (folder / "results" / name).write_text(json.dumps(document))
    save_file({"000": np.zeros((2, 2), dtype=np.float32)}, folder / "results" / "weights.safetensors")
    for number in range(3):
        (folder / "results" / "trace" / f"{number}.xplane.pb").write_bytes(b"trace")
    return folder


def test_complete_submission_has_nothing_missing(submission: Path) -> None:
    """The fixture that the other tests break is complete."""
    assert find_missing(submission) == ()


def test_archive_has_the_expected_files_and_no_others(submission: Path, tmp_path: Path) -> None:
    """Caches, notes and secrets beside the submission stay at home."""
    (submission / "__pycache__").mkdir()
    (submission / "__pycache__" / "data.cpython-311.pyc").write_bytes(b"x")
    (submission / "diary.txt").write_text("private")
    (submission / "results" / "old.json").write_text("{}")
    receipt = submit(submission, tmp_path / "out" / "me.zip", RESULT)
    with zipfile.ZipFile(receipt.file) as archive:
        names = archive.namelist()
        assert archive.read("data.py") == (submission / "data.py").read_bytes()
    results = [f"results/{name}" for name in ("kernels.json", "machine.json", "timings.json")]
    traces = [f"results/trace/{number}.xplane.pb" for number in range(3)]
    expected = [*MODULE_FILES, FINDINGS_FILE, *results, *traces, "results/training.json", "results/weights.safetensors"]
    assert names == sorted(expected)
    assert receipt.files == tuple(names)


def test_the_grader_takes_all_of_the_archive(submission: Path, tmp_path: Path) -> None:
    """What is handed in is what is graded: the grader takes every file of the archive, and has nothing to remark."""
    receipt = submit(submission, tmp_path / "me.zip", RESULT)
    with take(receipt.file) as taken:
        found = sorted(file.relative_to(taken.folder).as_posix() for file in taken.folder.rglob("*") if file.is_file())
        assert [name for name in found if name != "__init__.py"] == list(receipt.files)
        assert taken.notes == ()


def test_same_files_give_the_same_bytes(submission: Path, tmp_path: Path) -> None:
    """Times and permissions of the files do not change the archive; its contents do."""
    first = submit(submission, tmp_path / "first.zip", RESULT)
    for file in submission.rglob("*"):
        os.utime(file, (1_000_000_000, 1_000_000_000))
    (submission / "data.py").chmod(0o600)
    second = submit(submission, tmp_path / "second.zip", RESULT)
    (submission / FINDINGS_FILE).write_text((submission / FINDINGS_FILE).read_text() + "more = 2\n")
    third = submit(submission, tmp_path / "third.zip", RESULT)
    assert first.file.read_bytes() == second.file.read_bytes()
    assert first.sha256 == second.sha256 != third.sha256


def test_receipt_tells_name_checksum_and_public_score(submission: Path, tmp_path: Path) -> None:
    """The receipt's SHA-256 is that of the file on disk, and the score that of the grading."""
    receipt = submit(submission, tmp_path / "me.zip", RESULT, name="Ada Lovelace")
    lines = "\n".join(receipt.lines())
    assert "Ada Lovelace" in lines
    assert hashlib.sha256(receipt.file.read_bytes()).hexdigest() in lines
    assert "38.5/40" in lines


def test_archive_is_named_after_the_student(submission: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with slashes and dots becomes a plain file name in the working directory; without a name the folder's is used."""
    monkeypatch.chdir(tmp_path)
    assert submit(submission, None, RESULT, name="../Ada  Lovelace/x").file == Path("ada-lovelace-x.zip")
    assert submit(submission, None, RESULT).file == Path("assignment.zip")


def remove(name: str) -> Callable[[Path], object]:
    """Takes a file away."""
    return lambda folder: (folder / name).unlink()


def write(name: str, words: str) -> Callable[[Path], object]:
    """Overwrites a file."""
    return lambda folder: (folder / name).write_text(words)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (remove("model.py"), "no model.py"),
        (remove(FINDINGS_FILE), "no findings.toml"),
        (write(FINDINGS_FILE, '[data]\naccuracy_interval = "?"\n'), 'still has "?" for data.accuracy_interval'),
        (write(FINDINGS_FILE, "[data]\nx = 1\n"), "no table [model]"),
        (write(FINDINGS_FILE, "[data\n"), "not valid TOML"),
        (remove("results/timings.json"), "no results/timings.json"),
        (remove("results/weights.safetensors"), "no results/weights.safetensors"),
        (remove("results/trace/1.xplane.pb"), "2 of 3 traces in results/trace/"),
        (write("results/training.json", "{"), "results/training.json is cut short"),
        (write("results/training.json", "[" * 100_000), "results/training.json is cut short"),
        (write("results/training.json", '{"version": 2, "kind": "training"}'), "results/training.json has version"),
        (write("results/training.json", '{"version": 1, "kind": "machine"}'), "results/training.json is damaged: at kind"),
        (write("results/weights.safetensors", "x"), "weights.safetensors is not a whole safetensors file"),
        (write("timing.py", "# edited after measuring\n"), "another version of timing.py"),
    ],
)
def test_each_gap_is_named(submission: Path, tmp_path: Path, damage: Callable[[Path], object], said: str) -> None:
    """Whatever is missing, damaged or out of date is named, and nothing is packed."""
    damage(submission)
    with pytest.raises(SubmissionError) as caught:
        submit(submission, tmp_path / "me.zip", RESULT)
    assert said in str(caught.value)
    assert not (tmp_path / "me.zip").exists()


def test_all_gaps_are_named_in_one_sentence(submission: Path) -> None:
    """A student mends all at once, not one a run."""
    (submission / "model.py").unlink()
    (submission / FINDINGS_FILE).unlink()
    (submission / "results" / "machine.json").unlink()
    assert find_missing(submission) == ("no model.py", "no findings.toml", "no results/machine.json (run `lab measure`)")


def test_links_are_not_packed(submission: Path, tmp_path: Path) -> None:
    """A link could bring any file of the machine into the archive: it counts as missing."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (submission / "data.py").unlink()
    (submission / "data.py").symlink_to(secret)
    assert "no data.py" in find_missing(submission)
    receipt = submit(submission, tmp_path / "me.zip", RESULT, allow_incomplete=True)
    assert "data.py" not in receipt.files


def test_incomplete_can_be_handed_in_on_purpose(submission: Path, tmp_path: Path) -> None:
    """At a deadline half a lab is better than none, and the receipt says what was missing."""
    (submission / "training.py").unlink()
    receipt = submit(submission, tmp_path / "me.zip", RESULT, allow_incomplete=True)
    assert receipt.missing == ("no training.py",)
    assert any(line.startswith("missing") and "training.py" in line for line in receipt.lines())


def test_too_large_is_refused(submission: Path, tmp_path: Path) -> None:
    """A stray gigabyte under a right name is not packed."""
    with (submission / "results" / "weights.safetensors").open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    with pytest.raises(SubmissionError, match="expected at most"):
        submit(submission, tmp_path / "me.zip", RESULT, allow_incomplete=True)


@pytest.mark.parametrize("kind", ["nothing", "a file", "an empty folder"])
def test_what_is_no_submission_is_refused(tmp_path: Path, kind: str) -> None:
    """No folder, a file, or a folder without any of the files is a sentence, not a traceback or an empty archive."""
    path = tmp_path / "x"
    if kind == "a file":
        path.write_text("")
    elif kind == "an empty folder":
        path.mkdir()
    with pytest.raises(SubmissionError):
        submit(path, tmp_path / "me.zip", RESULT, allow_incomplete=True)
    assert not (tmp_path / "me.zip").exists()
