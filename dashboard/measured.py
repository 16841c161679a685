"""What was measured for one submission, as data frames: from a student's folder, or (in `queries`) from a class's database.

The charts read these frames and nothing else, so a student's own page, an instructor's drill-down and a report are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pandas as pd

from grader.artifacts import Kernels, Machine, MissingResults, Results, Timings, Training
from grader.checks.oracle import costs, lab_network
from grader.errors import ResultsError
from grader.lab import IMAGE_SHAPE, MIN_DELTA, PATIENCE

KERNEL_COLUMNS: Final = ("sample", "image", "layer", "kernel", "duration_us")
SAMPLE_COLUMNS: Final = ("mode", "count", "batch_size", "repeat", "total_s")
EPOCH_COLUMNS: Final = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
SWEEP_COLUMNS: Final = ("batch_size", "epoch_limit", "epochs_run", "train_accuracy", "val_accuracy", "seconds")
ONLINE, BATCH = "one image a call", "in batches"
"""The two ways of timing, in the words of charts."""


def empty(columns: tuple[str, ...]) -> pd.DataFrame:
    """A frame with these columns and no rows."""
    return pd.DataFrame(columns=list(columns))


@dataclass(frozen=True)
class Measured:
    """The measurements of one submission. A frame without rows was not measured.

    Attributes:
        kernels: `KERNEL_COLUMNS`: time of each kernel of each profiled image, microseconds; `sample` counts from 0.
        samples: `SAMPLE_COLUMNS`: total of each repeat of each timing, seconds; `mode` is `ONLINE` or `BATCH`.
        epochs: `EPOCH_COLUMNS`: the main training run, epochs counted from 1.
        sweep: `SWEEP_COLUMNS`: the settings compared.
        end_to_end_us: End-to-end latency of each profiled image, microseconds.
        machine: Facts of the machine, by name; empty when unknown.
        val_correct: Validation images that the trained model gets right.
        val_total: Validation images.
        epoch_limit: Of the main run; 0 when unknown.
        min_delta: Of the main run's early stopping.
        patience: Of the main run's early stopping.
        peak_macs_per_s: The machine's peak as a calibration measured it; None without one.
        problems: A sentence for each file that is there and cannot be read.
    """

    kernels: pd.DataFrame = field(default_factory=lambda: empty(KERNEL_COLUMNS))
    samples: pd.DataFrame = field(default_factory=lambda: empty(SAMPLE_COLUMNS))
    epochs: pd.DataFrame = field(default_factory=lambda: empty(EPOCH_COLUMNS))
    sweep: pd.DataFrame = field(default_factory=lambda: empty(SWEEP_COLUMNS))
    end_to_end_us: tuple[float, ...] = ()
    machine: dict[str, str] = field(default_factory=dict)
    val_correct: int = 0
    val_total: int = 0
    epoch_limit: int = 0
    min_delta: float = MIN_DELTA
    patience: int = PATIENCE
    peak_macs_per_s: float | None = None
    problems: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing at all was measured."""
        return not (len(self.kernels) or len(self.samples) or len(self.epochs))


def from_folder(submission: Path) -> Measured:
    """Reads a submission's results/; what is missing or damaged leaves its frame empty.

    Args:
        submission: The submission's folder.

    Returns:
        What could be read, with a sentence for each file that could not.
    """
    results = Results(submission)
    parts: dict[str, object] = {}
    problems: list[str] = []
    readers: tuple[Callable[[], dict[str, object]], ...] = (
        lambda: _kernels(results.read(Kernels)),
        lambda: _timings(results.read(Timings)),
        lambda: _training(results.read(Training)),
        lambda: _machine(results.read(Machine)),
    )
    for read in readers:
        try:
            parts |= read()
        except MissingResults:
            continue
        except ResultsError as error:
            problems.append(str(error))
    return Measured(**parts, problems=tuple(problems))  # type: ignore[arg-type]


def layer_costs() -> pd.DataFrame:
    """What each layer of the lab's network costs for one image.

    Returns:
        `layer`, `macs` (multiply-accumulates), `bytes` (float32 read and written: input, weights and output, once each), for layers that
        have weights.
    """
    before = 4 * IMAGE_SHAPE[0] * IMAGE_SHAPE[1] * IMAGE_SHAPE[2]
    rows = []
    for cost in costs(lab_network(), IMAGE_SHAPE):
        if cost.macs:
            rows.append({"layer": cost.name, "macs": cost.macs, "bytes": before + cost.bytes + 4 * cost.parameters})
        before = cost.bytes
    return pd.DataFrame(rows)


def _kernels(kernels: Kernels) -> dict[str, object]:
    rows = [
        {"sample": number, "image": sample.image, "layer": row.layer, "kernel": row.kernel, "duration_us": row.duration_us}
        for number, sample in enumerate(kernels.samples)
        for row in sample.rows
    ]
    frame = pd.DataFrame(rows, columns=list(KERNEL_COLUMNS))
    return {"kernels": frame, "end_to_end_us": tuple(sample.end_to_end_us for sample in kernels.samples)}


def _timings(timings: Timings) -> dict[str, object]:
    rows = [
        {"mode": mode, "count": run.count, "batch_size": run.batch_size, "repeat": repeat, "total_s": total_s}
        for mode, runs in ((ONLINE, timings.online), (BATCH, timings.batches))
        for run in runs
        for repeat, total_s in enumerate(run.totals_s)
        if run.count and run.batch_size
    ]
    return {"samples": pd.DataFrame(rows, columns=list(SAMPLE_COLUMNS))}


def _training(training: Training) -> dict[str, object]:
    main, history = training.main, training.main.history
    curves = (history.loss, history.accuracy, history.val_loss, history.val_accuracy)
    # A student's file may have curves of different lengths; what all have is shown.
    rows = [(epoch, *values) for epoch, values in enumerate(zip(*curves, strict=False), start=1)]
    return {
        "epochs": pd.DataFrame(rows, columns=list(EPOCH_COLUMNS)),
        "sweep": pd.DataFrame([run.model_dump() for run in training.sweep], columns=list(SWEEP_COLUMNS)),
        "val_correct": min(main.val_correct, main.val_total),
        "val_total": main.val_total,
        "epoch_limit": main.epoch_limit,
        "min_delta": main.min_delta,
        "patience": main.patience,
    }


def _machine(machine: Machine) -> dict[str, object]:
    facts = {
        "CPU": machine.cpu,
        "cores": str(machine.cores),
        "memory": f"{machine.memory_bytes / 2**30:.0f} GiB",
        "system": machine.system,
        "TensorFlow": machine.tensorflow,
        "data": machine.dataset.name,
        "measured at": machine.measured_at,
        "plan": machine.plan,
    }
    return {"machine": facts, "peak_macs_per_s": machine.peak_macs_per_s}
