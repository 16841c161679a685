"""A student's folder with measurements and gradings, for the tests of the dashboard."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from grader.attempts import keep
from grader.dataset.weights import pretrained_weights
from grader.results import Cause, CheckResult, Feedback, GradeResult, State

LAYERS = {"conv1": 900.0, "conv2": 4200.0, "conv3": 700.0, "conv4": 900.0, "conv5": 160.0, "conv6": 200.0, "dense1": 150.0, "dense2": 20.0}
"""Kernel time of each layer, microseconds, about as a laptop takes."""

EVIL = "**bold** <img src=x onerror=alert(1)> [link](javascript:alert(1)) $x$ :red[red]"
"""Text that would be Markdown, HTML or mathematics where it was not shown as text."""


def grade(started_at: str, earned: float, name: str = "me") -> GradeResult:
    """A grading with one passed check and one failed one whose feedback is hostile."""
    feedback = Feedback(EVIL + "\x1b[31m", (EVIL,), EVIL, EVIL, f"assignment/data.py:1 {EVIL}", EVIL)
    checks = (
        CheckResult("data/one", EVIL, State.PASSED, 2, 2),
        CheckResult(
            "timing/two", "Two", State.PARTIAL, 3, earned, cause=Cause.STUDENT_ERROR, feedback=feedback, command="lab grade -k two"
        ),
    )
    return GradeResult(name, "ab" * 32, checks, False, "0.1.0", "zygote", started_at, 1.0, (EVIL,))


def measurements() -> dict[str, dict[str, Any]]:
    """Files of results/ as a standard plan writes them, with figures that are known."""
    samples = [
        {
            "image": f"val_{number}.JPEG",
            "label": number,
            "end_to_end_us": 9000.0 + number,
            "rows": [{"layer": layer, "kernel": "_FusedConv2D", "duration_us": us + number} for layer, us in LAYERS.items()],
        }
        for number in range(3)
    ]

    def run(count: int, batch_size: int, image_s: float) -> dict[str, Any]:
        totals = [count * image_s * (1 + 0.01 * (repeat % 3)) for repeat in range(10)]
        middle = sorted(totals)[4]
        return {
            "count": count,
            "batch_size": batch_size,
            "total_s": middle,
            "latency_ms": middle / -(-count // batch_size) * 1e3,
            "images_per_second": count / middle,
            "totals_s": totals,
        }

    val_loss = [5.0, 4.4, 4.1, 4.0, 4.0, 4.02]
    history = {
        "loss": [5.1, 4.3, 3.9, 3.6, 3.3, 3.1],
        "accuracy": [0.02, 0.1, 0.2, 0.26, 0.31, 0.36],
        "val_loss": val_loss,
        "val_accuracy": [0.03, 0.1, 0.18, 0.21, 0.22, 0.22],
    }
    main = {"batch_size": 32, "epoch_limit": 15, "min_delta": 0.01, "patience": 2, "history": history}
    sweep = [
        {
            "batch_size": size,
            "epoch_limit": limit,
            "epochs_run": min(limit, 9),
            "train_accuracy": 0.5,
            "val_accuracy": 0.3 + size / 1e3,
            "seconds": 9.0,
        }
        for limit in (3, 15, 30)
        for size in (32, 64, 128)
    ]
    machine = {
        "cpu": "Imagined CPU 8-core",
        "cores": 8,
        "memory_bytes": 2**34,
        "system": "Linux",
        "python": "3.12.1",
        "tensorflow": "2.21.0",
    }
    machine |= {"keras": "3.15.1", "threads": {"intra": 0, "inter": 0}, "load_average": [0.1], "measured_at": "2026-01-01T00:00:00Z"}
    machine |= {"plan": "standard", "dataset": {"name": "embedded-small", "manifest_sha256": "ab" * 32}, "sources": {}}
    bodies: dict[str, dict[str, Any]] = {
        "machine": machine,
        "kernels": {"samples": samples},
        "timings": {
            "online": [run(10, 1, 0.012), run(100, 1, 0.012), run(1000, 1, 0.012)],
            "batches": [run(1000, 20, 0.004), run(1000, 40, 0.0035), run(1000, 100, 0.003), run(1000, 200, 0.0028)],
        },
        "training": {"main": {**main, "val_correct": 220, "val_total": 1000, "seconds": 90.0}, "sweep": sweep},
    }
    return {f"{kind}.json": {"version": 1, "kind": kind, **body} for kind, body in bodies.items()}


def write_submission(folder: Path) -> Path:
    """A submission's folder with code, measurements, weights and three gradings."""
    results = folder / "results"
    results.mkdir(parents=True)
    (folder / "data.py").write_text(f"# {EVIL}\n")
    for name, document in measurements().items():
        (results / name).write_text(json.dumps(document))
    shutil.copy(pretrained_weights(), results / "weights.safetensors")
    for day, earned in enumerate((0.0, 1.0, 1.5), start=1):
        keep(folder, grade(f"2026-01-0{day}T10:00:00+00:00", earned))
    return folder
