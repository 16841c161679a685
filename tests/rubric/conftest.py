"""Grades the reference and the entries of the bank: one launcher for all, and results that agree with the reference's findings."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader.artifacts import TRACE_FOLDER
from grader.bank import Entry, assemble, entries, touched
from grader.checks import xplane
from grader.grade import grade
from grader.host.launch import Launcher
from grader.lab import FINDINGS_FILE, MODULE_FILES, RESULTS_FOLDER
from grader.results import CheckResult, Feedback, GradeResult
from grader.validate.report import feedback_row

ROOT = Path(__file__).parents[2]
SOLUTIONS = ROOT / "solutions"
STUBS = ROOT / "assignment"

Grade = Callable[..., GradeResult]


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference with results that agree with its findings."""
    folder = tmp_path_factory.mktemp("reference") / "solutions"
    folder.mkdir()
    for name in (*MODULE_FILES, FINDINGS_FILE):
        shutil.copyfile(SOLUTIONS / name, folder / name)
    if (SOLUTIONS / RESULTS_FOLDER).is_dir():
        shutil.copytree(SOLUTIONS / RESULTS_FOLDER, folder / RESULTS_FOLDER)
    else:
        write_results(folder / RESULTS_FOLDER)
    return folder


@pytest.fixture(scope="session")
def graded(shared: Launcher, reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Grade:
    """`graded(what, keyword="")` grades a folder, or an entry of the bank put together with the reference."""

    def run(what: Entry | Path, keyword: str = "") -> GradeResult:
        folder = assemble(what, reference, tmp_path_factory.mktemp("entry") / what.name) if isinstance(what, Entry) else what
        return grade(folder, keyword=keyword, launcher=shared)

    return run


def chaffs(*sections: str) -> list[Any]:
    """The chaffs whose check lies in one of the sections, as parameters for a test."""
    known = entries(SOLUTIONS / "chaffs")
    return [pytest.param(entry, id=entry.name) for entry in known if entry.check.partition("/")[0] in sections]


def wheats(*modules: str) -> list[Any]:
    """The wheats that have one of these modules of their own, as parameters for a test: the others are the reference there."""
    found = [entry for entry in entries(SOLUTIONS / "wheats") if {place.partition(".py")[0] for place in touched(entry)} & set(modules)]
    return [pytest.param(entry, id=entry.name) for entry in found]


def told(feedback: Feedback) -> str:
    """All that a feedback says, in one text."""
    return "\n".join((feedback.summary, *feedback.comparison, feedback.help, feedback.where))


def documented(entry: Entry, check: CheckResult) -> bool:
    """Whether docs/feedback.md has what the student reads; `lab validate --only chaffs --feedback docs/feedback.md` writes it."""
    return feedback_row(entry, check) in (ROOT / "docs" / "feedback.md").read_text(encoding="utf-8").splitlines()


def lost(result: GradeResult) -> dict[str, CheckResult]:
    """The checks that did not earn all their points, by name."""
    return {check.name: check for check in result.checks if check.earned < check.points}


def write_results(folder: Path) -> None:
    """Writes results/ as `lab measure` would, with numbers that agree with the reference's findings.

    Args:
        folder: The results folder, which is made.
    """
    folder.mkdir()
    documents: dict[str, dict[str, Any]] = {
        "machine": {
            "cpu": "a processor",
            "cores": 2,
            "memory_bytes": 8 * 2**30,
            "system": "Linux",
            "python": "3.11.0",
            "tensorflow": "2.21.0",
            "keras": "3.12.0",
            "threads": {"intra": 0, "inter": 0},
            "load_average": [0.1, 0.1, 0.1],
            "measured_at": "2025-09-01T12:00:00+00:00",
            "plan": "full",
            "dataset": {"name": "embedded-small", "manifest_sha256": "0" * 64},
            "sources": {},
        },
        "kernels": {"samples": [_kernel_sample(number, end_us) for number, end_us in enumerate((1000.0, 1100.0, 1100.0))]},
        "timings": {
            "online": [_timing(count, 1, total_s) for count, total_s in ((10, 0.03), (100, 0.3), (1000, 3.0))],
            "batches": [_timing(1000, size, total_s) for size, total_s in ((20, 2.1), (40, 1.8), (100, 1.6), (200, 1.5))],
        },
        "training": {
            "main": {
                "batch_size": 32,
                "epoch_limit": 30,
                "min_delta": 0.01,
                "patience": 2,
                "history": {
                    "loss": [5.2, 4.8, 4.4, 4.1, 3.9, 3.7, 3.5, 3.3],
                    "accuracy": [0.01, 0.06, 0.11, 0.15, 0.19, 0.22, 0.26, 0.3],
                    "val_loss": [5.1, 4.7, 4.4, 4.2, 4.1, 4.0, 4.02, 4.05],
                    "val_accuracy": [0.02, 0.07, 0.12, 0.16, 0.2, 0.225, 0.224, 0.222],
                },
                "val_correct": 225,
                "val_total": 1000,
                "seconds": 60.0,
            },
            "sweep": [
                {
                    "batch_size": size,
                    "epoch_limit": limit,
                    "epochs_run": min(limit, 8),
                    "train_accuracy": 0.1 if limit == 3 else 0.25,
                    "val_accuracy": 0.1 if limit == 3 else 0.22,
                    "seconds": 20.0,
                }
                for size in (32, 64, 128)
                for limit in (3, 15, 30)
            ],
        },
    }
    for kind, document in documents.items():
        (folder / f"{kind}.json").write_text(json.dumps({"version": 1, "kind": kind, **document}), encoding="utf-8")
    (folder / TRACE_FOLDER).mkdir()
    for number, sample in enumerate(documents["kernels"]["samples"]):
        (folder / TRACE_FOLDER / f"{number}.xplane.pb").write_bytes(_trace(sample))


def _kernel_sample(number: int, end_to_end_us: float) -> dict[str, Any]:
    shares = {"conv2": 0.4, "conv1": 0.15, "conv3": 0.15, "conv4": 0.1, "conv5": 0.05, "conv6": 0.05, "dense1": 0.06, "dense2": 0.04}
    rows = [
        {"layer": layer, "kernel": "_FusedConv2D" if layer.startswith("conv") else "_FusedMatMul", "duration_us": share * 900.0}
        for layer, share in shares.items()
    ]
    return {"image": f"val/images/val_{number}.JPEG", "label": number, "end_to_end_us": end_to_end_us, "rows": rows}


def _timing(count: int, batch_size: int, total_s: float) -> dict[str, Any]:
    calls = -(-count // batch_size)
    return {
        "count": count,
        "batch_size": batch_size,
        "total_s": total_s,
        "latency_ms": total_s / calls * 1000,
        "images_per_second": count / total_s,
        "totals_s": [total_s],
    }


def _trace(sample: dict[str, Any]) -> bytes:
    # The kernels one after the other, with equal gaps that make up the end-to-end time.
    rows = sample["rows"]
    gap_us = (sample["end_to_end_us"] - sum(row["duration_us"] for row in rows)) / (len(rows) - 1)
    space = xplane.space_class()()
    plane = space.planes.add(name=xplane.CPU_PLANE)
    line = plane.lines.add(name="tf_Compute", timestamp_ns=1_000)
    start_us = 0.0
    for number, row in enumerate(rows, start=1):
        name = f"functional_1/{row['layer']}_1/Relu:{row['kernel']}"
        plane.event_metadata.add(key=number).value.name = name
        line.events.add(metadata_id=number, offset_ps=round(start_us * 1e6), duration_ps=round(row["duration_us"] * 1e6))
        start_us += row["duration_us"] + gap_us
    written: bytes = space.SerializeToString()
    return written
