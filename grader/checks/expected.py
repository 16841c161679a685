"""The findings that a student's own results support: what the findings checks compare with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from grader.artifacts import Kernels, Results, SweepRun, Timings, Training
from grader.errors import LabError
from grader.lab import BATCH_IMAGES

TOLERANCE: Final = 0.01
"""How far below the best validation accuracy still counts as reached."""

Z: Final = 1.96
"""Quantile of the normal distribution for 95 %."""


def accuracy_interval(training: Training) -> list[float]:
    """The Wilson interval of the main run's validation accuracy (E. B. Wilson, 1927), low and high."""
    n, p = training.main.val_total, training.main.val_correct / training.main.val_total
    shrink = 1 + Z**2 / n
    centre, half = (p + Z**2 / (2 * n)) / shrink, Z / shrink * (p * (1 - p) / n + Z**2 / (4 * n**2)) ** 0.5
    return [max(0.0, centre - half), min(1.0, centre + half)]


def slowest(kernels: Kernels) -> tuple[str, float]:
    """Layer of the first sample's longest kernel, and its share of the time of all rows."""
    rows = kernels.samples[0].rows
    longest = max(rows, key=lambda row: row.duration_us)
    return longest.layer, longest.duration_us / sum(row.duration_us for row in rows)


def sample_latencies_ms(kernels: Kernels) -> list[float]:
    """End-to-end latency of the three samples."""
    return [sample.end_to_end_us / 1000 for sample in kernels.samples]


def online_total_s(timings: Timings) -> list[float]:
    """Total times of the online runs, by the number of images."""
    return [run.total_s for run in sorted(timings.online, key=lambda run: run.count)]


def best_batch(timings: Timings) -> tuple[int, float]:
    """The batch size with the highest throughput, and how many times the online throughput of 1000 images that is."""
    best = max(timings.batches, key=lambda run: run.images_per_second)
    online = next((run for run in timings.online if run.count == BATCH_IMAGES), timings.online[-1])
    return best.batch_size, best.images_per_second / online.images_per_second


def epochs_needed(training: Training) -> int:
    """The first epoch of the main run whose validation accuracy is within the tolerance of the best."""
    accuracies = training.main.history.val_accuracy
    return next(epoch for epoch, value in enumerate(accuracies, start=1) if value >= max(accuracies) - TOLERANCE)


def larger_limit_changes(training: Training) -> bool:
    """Whether any run of the sweep that ended before its limit ran another number of epochs under a larger limit."""

    def later(run: SweepRun) -> list[SweepRun]:
        return [other for other in training.sweep if other.batch_size == run.batch_size and other.epoch_limit > run.epoch_limit]

    stopped = [run for run in training.sweep if run.epochs_run < run.epoch_limit]
    return any(other.epochs_run != run.epochs_run for run in stopped for other in later(run))


def findings_toml(template: Path, results: Results) -> str:
    """The findings file with the values that results support; for the reference, and for `make demo`.

    Args:
        template: A findings.toml with every key; its comments are kept.
        results: Measured results.

    Returns:
        The file's new text.

    Raises:
        LabError: A key is not in the template.
        ResultsError: A result is missing or damaged.
    """
    kernels, timings, training = results.read(Kernels), results.read(Timings), results.read(Training)
    layer, share = slowest(kernels)
    batch, speed_up = best_batch(timings)
    values: dict[str, Any] = {
        "accuracy_interval": accuracy_interval(training),
        "slowest_layer": layer,
        "slowest_share": share,
        "sample_latencies_ms": sample_latencies_ms(kernels),
        "sample_sum_ms": sum(sample_latencies_ms(kernels)),
        "online_total_s": online_total_s(timings),
        "best_batch_size": batch,
        "speed_up": speed_up,
        "epochs_needed": epochs_needed(training),
        "larger_limit_changes": larger_limit_changes(training),
    }
    text = template.read_text(encoding="utf-8")
    for key, value in values.items():
        text, count = re.subn(rf"^{key} = .*$", f"{key} = {_toml(value)}", text, flags=re.MULTILINE)
        if count != 1:
            raise LabError(f"{template} should have the key {key} once, received it {count} times.")
    return text


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
