"""Stores what a student measured: raw timings, kernels, curves and the machine, once for each content."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from grader.artifacts import Artifact, Kernels, Machine, Timings, Training
from grader.artifacts import Results as StudentResults
from grader.errors import ResultsError
from grader.store import schema
from grader.store.results import Results


def save_measurements(store: Results, digest: str, folder: Path) -> None:
    """Stores the measurements of one content; files that are missing or damaged are left out, since their check tells of it.

    Args:
        store: The store.
        digest: Of the content.
        folder: The taken submission.
    """
    student = StudentResults(folder)
    machine, timings = _read(student, Machine), _read(student, Timings)
    kernels, training = _read(student, Kernels), _read(student, Training)
    with store.write() as session:
        store.insert_new(session, schema.Content, digest=digest)
        content = session.get_one(schema.Content, digest)
        if session.scalars(sa.select(schema.Sample.id).where(schema.Sample.digest == digest)).first() or content.measured_at:
            return
        if machine is not None:
            content.machine_id = store.note_machine(session, "student", machine.model_dump())
            content.measured_at, content.plan = machine.measured_at[:255], machine.plan[:255]
        if training is not None:
            content.val_correct, content.val_total = training.main.val_correct, training.main.val_total
        for row in _rows(digest, timings, kernels, training):
            session.add(row)


def _read(student: StudentResults, kind: type[Artifact]) -> Artifact | None:
    try:
        return student.read(kind)
    except ResultsError:
        return None


def _rows(digest: str, timings: Timings | None, kernels: Kernels | None, training: Training | None) -> list[schema.Base]:
    rows: list[schema.Base] = []
    for mode, runs in (("online", timings.online), ("batches", timings.batches)) if timings is not None else ():
        rows += [
            schema.Sample(
                digest=digest, mode=mode, setting=setting, count=run.count, batch_size=run.batch_size, repeat=repeat, total_s=total_s
            )
            for setting, run in enumerate(runs)
            for repeat, total_s in enumerate(run.totals_s)
        ]
    for number, sample in enumerate(kernels.samples if kernels is not None else ()):
        rows += [
            schema.Kernel(
                digest=digest, sample=number, position=place, layer=row.layer[:255], kernel=row.kernel[:255], duration_us=row.duration_us
            )
            for place, row in enumerate(sample.rows)
        ]
    if training is not None:
        history = training.main.history
        curves = zip(history.loss, history.accuracy, history.val_loss, history.val_accuracy, strict=False)
        rows += [
            schema.Epoch(digest=digest, epoch=epoch, loss=loss, accuracy=accuracy, val_loss=val_loss, val_accuracy=val_accuracy)
            for epoch, (loss, accuracy, val_loss, val_accuracy) in enumerate(curves, start=1)
        ]
    return rows
