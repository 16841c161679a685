"""The steps of a measurement. Each runs a student's functions in the worker and gives plain data."""

from __future__ import annotations

import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save as save_safetensors

from grader.artifacts import TRACE_FOLDER, WEIGHTS_FILE
from grader.checks.compare import record, sequence
from grader.errors import MeasureError
from grader.host.submission import Handle, Submission
from grader.lab import BATCH_IMAGES, BATCH_SIZES, CLASSES, MIN_DELTA, ONLINE_COUNTS, PATIENCE
from grader.measure.plan import Plan
from grader.measure.state import STATE_FOLDER, write_whole

Advance = Callable[[int, int], None]
"""Told of progress: how much is done, and how much there is."""

SEED = 20
"""Seeds weights and orders. Not the seed of the weights that ship: a training from the same first weights would look like a copy."""

TIMING_FIELDS = ("count", "batch_size", "total_s", "latency_ms", "images_per_second")
SETTING_FIELDS = ("batch_size", "epoch_limit", "epochs_run", "train_accuracy", "val_accuracy")


class Bench:
    """A student's functions with what all steps share: the examples, a thousand images, a model.

    Args:
        submission: The submission in a worker.
        data: The data set's folder.
        results: Where result files go.
        plan: How much is measured.
    """

    def __init__(self, submission: Submission, data: Path, results: Path, plan: Plan) -> None:
        self.submission = submission
        self.data = data
        self.results = results
        self.plan = plan
        self._kept: dict[str, Any] = {}

    def kernels(self, advance: Advance) -> dict[str, Any]:
        """Profiles three validation images; the traces are kept as files."""
        student = self.submission
        model = self._model()
        names = student.tools.layer_names(model)
        samples = []
        for number, example in enumerate(self._examples("val")[:3]):
            advance(number, 3)
            folder = student.scratch / f"trace-{number}"
            image = student.tools.image_at(self._images(), number)
            log_dir = student.tools.path(folder)
            student.profiling.capture_trace(self._predict(), image, log_dir)
            rows = sequence(student.profiling.load_events(log_dir), "load_events' result")
            events = student.records("profiling", "Event", rows)
            traces = sorted(folder.rglob("*.xplane.pb"), key=lambda file: file.stat().st_mtime_ns)
            if not traces:
                raise MeasureError(f"capture_trace left no trace (*.xplane.pb) under {folder}; see its docstring for the profiler's call.")
            write_whole(self.results / STATE_FOLDER / TRACE_FOLDER / f"{number}.xplane.pb", traces[-1].read_bytes())
            samples.append(
                {
                    "image": Path(example["path"]).name,
                    "label": example["label"],
                    "end_to_end_us": student.profiling.end_to_end_us(events, names),
                    "rows": student.profiling.kernel_table(events, names),
                }
            )
        return {"samples": samples}

    def timings(self, advance: Advance) -> dict[str, Any]:
        """Times online and batch inference again and again; the repeats are interleaved, so that a slow minute touches all alike."""
        student = self.submission
        predict, images = self._predict(), self._images()
        sweeps: dict[str, tuple[Callable[..., Any], Sequence[int]]] = {
            "online": (student.timing.online_sweep, ONLINE_COUNTS),
            "batches": (student.timing.batch_sweep, BATCH_SIZES),
        }
        runs: dict[str, list[list[dict[str, Any]]]] = defaultdict(list)
        for repeat in range(self.plan.repeats):
            for place, (kind, (sweep, sizes)) in enumerate(sweeps.items()):
                advance(2 * repeat + place, 2 * self.plan.repeats)
                found = sequence(sweep(predict, images, list(sizes)), f"{sweep_name(kind)}'s result", length=len(sizes))
                runs[kind].append([dict(record(item, TIMING_FIELDS, f"{sweep_name(kind)}'s item", "Timing")) for item in found])
        return {kind: [median_run(list(same)) for same in zip(*repeats, strict=True)] for kind, repeats in runs.items()}

    def main_run(self, advance: Advance) -> dict[str, Any]:
        """Trains the model of the lab with early stopping, and counts what it gets right on the validation set."""
        student, plan = self.submission, self.plan
        train_rows = self._subset(self._examples("train"), plan.per_class)
        val_rows = self._examples("val")[:BATCH_IMAGES]
        model = student.tools.fresh_model(CLASSES, SEED)
        counter = student.scratch / "batches-main"
        train_data = student.tools.counted(self._dataset(train_rows, plan.batch_size, shuffle=True), str(counter))
        val_data = self._dataset(val_rows, plan.batch_size, shuffle=False)
        batches = -(-len(train_rows) // plan.batch_size)
        with _watched(counter, lambda done: advance(done, batches * plan.epoch_limit)) as clock:
            history = student.training.train(model, train_data, val_data, epochs=plan.epoch_limit, min_delta=MIN_DELTA, patience=PATIENCE)
        predictions = record(
            student.model.predict_classes(model, self._images()), ("labels", "confidences"), "predict_classes' result", "Predictions"
        )
        labels = np.array([row["label"] for row in val_rows])
        weights = [np.asarray(array, np.float32) for array in student.tools.weights(model)]
        packed = save_safetensors({f"{index:03d}": array for index, array in enumerate(weights)})
        write_whole(self.results / STATE_FOLDER / WEIGHTS_FILE, packed)
        return {
            "batch_size": plan.batch_size,
            "epoch_limit": plan.epoch_limit,
            "min_delta": MIN_DELTA,
            "patience": PATIENCE,
            "history": history,
            "val_correct": int((np.asarray(predictions["labels"]).reshape(-1) == labels).sum()),
            "val_total": len(labels),
            "seconds": clock(),
        }

    def sweep_run(self, epoch_limit: int, batch_size: int, advance: Advance) -> dict[str, Any]:
        """Trains one setting of the sweep, on the images of some classes."""
        student, plan = self.submission, self.plan
        train_rows = self._of_classes(self._subset(self._examples("train"), plan.per_class))
        val_rows = self._of_classes(self._examples("val"))
        counter = student.scratch / f"batches-{epoch_limit}-{batch_size}"
        functions = student.tools.sweep_functions(
            self._records(train_rows), self._records(val_rows), plan.sweep_classes, SEED, str(counter)
        )
        batches = -(-len(train_rows) // batch_size)
        with _watched(counter, lambda done: advance(done, batches * epoch_limit)):
            found = student.training.sweep(
                *(functions[name] for name in ("make_model", "make_data", "train", "evaluate")),
                epoch_limits=[epoch_limit],
                batch_sizes=[batch_size],
            )
        (setting,) = sequence(found, "sweep's result", length=1)
        seconds = sequence(student.tools.take(functions["seconds"]), "the sweep's trainings", length=1)
        return {**record(setting, SETTING_FIELDS, "sweep's item", "Setting"), "seconds": seconds[0]}

    def software(self) -> dict[str, Any]:
        """Versions, threads, and the machine's measured peak."""
        tools = self.submission.tools
        return {**tools.software(), "peak_macs_per_s": tools.peak_rate()}

    def _model(self) -> Any:
        return self._once("model", lambda: self.submission.tools.fresh_model(CLASSES, SEED))

    def _predict(self) -> Any:
        return self._once("predict", lambda: self.submission.tools.predictor(self._model()))

    def _images(self) -> Any:
        rows = self._examples("val")[:BATCH_IMAGES]
        return self._once("images", lambda: self.submission.tools.load_images(self._dataset(rows, 100, shuffle=False), len(rows)))

    def _examples(self, split: str) -> list[dict[str, Any]]:
        def read() -> list[dict[str, Any]]:
            found = sequence(self.submission.data.list_examples(self.submission.tools.path(self.data), split), f"list_examples({split!r})")
            rows = [dict(record(item, ("path", "label"), "list_examples' item", "Example")) for item in found]
            if not rows:
                raise MeasureError(f"list_examples found no {split} images in {self.data}; run `lab data info {self.data}`.")
            return rows

        rows: list[dict[str, Any]] = self._once(split, read)
        return rows

    def _subset(self, rows: list[dict[str, Any]], per_class: int) -> list[dict[str, Any]]:
        found = sequence(self.submission.data.balanced_subset(self._records(rows), per_class), "balanced_subset's result")
        return [dict(record(item, ("path", "label"), "balanced_subset's item", "Example")) for item in found]

    def _of_classes(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row for row in rows if row["label"] < self.plan.sweep_classes]

    def _records(self, rows: list[dict[str, Any]]) -> Handle:
        return self.submission.records("data", "Example", rows)

    def _dataset(self, rows: list[dict[str, Any]], batch_size: int, *, shuffle: bool) -> Any:
        return self.submission.data.make_dataset(self._records(rows), batch_size, shuffle=shuffle, seed=SEED)

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    def forget(self) -> None:
        """Forgets what lived in a worker that has ended."""
        self._kept.clear()


def sweep_name(kind: str) -> str:
    """The student's function behind a kind of timing."""
    return "online_sweep" if kind == "online" else "batch_sweep"


def median_run(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """What is reported of several runs of one measurement.

    Args:
        runs: The runs, each with its `total_s` in seconds.

    Returns:
        The run with the middle total, of an even number the quicker of the two, with every run's total as `totals_s`.
    """
    ordered = sorted(runs, key=lambda run: run["total_s"])
    return {**ordered[(len(ordered) - 1) // 2], "totals_s": [run["total_s"] for run in runs]}


@contextmanager
def _watched(counter: Path, advance: Callable[[int], None]) -> Iterator[Callable[[], float]]:
    # The worker is busy in one long call; a thread reads the number of batches it has taken.

    ended = threading.Event()
    started = time.perf_counter()

    def watch() -> None:
        while not ended.wait(0.2):
            try:
                content = counter.read_bytes()
            except OSError:
                continue
            if len(content) == 8:
                advance(struct.unpack("<q", content)[0])

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: time.perf_counter() - started
    finally:
        ended.set()
        thread.join()
