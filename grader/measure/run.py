"""Runs the steps of a measurement that are not done yet, and writes the files of results/."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from grader.artifacts import FILES, TRACE_FOLDER, WEIGHTS_FILE, Dataset, Kernels, Machine, MainRun, Results, SweepRun, Timings, Training
from grader.dataset.inspect import inspect
from grader.dataset.manifest import MANIFEST_FILE
from grader.errors import DataError, LabError, MeasureError, ResultsError
from grader.host import limits
from grader.host.launch import launcher
from grader.host.submission import Submission, clean
from grader.lab import MODULE_FILES, RESULTS_FOLDER
from grader.measure.machine import describe, load_average, source_digests
from grader.measure.plan import Plan, plan_named
from grader.measure.state import STATE_FOLDER, State, identity, write_whole
from grader.measure.steps import Advance, Bench
from grader.measure.verdicts import verdict_lines
from grader.outcomes import CheckEnded, CheckFailed

BUSY: Final = 0.5
"""Load a core above which timings are worth a warning: half of the machine is somebody else's."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        name: Name of its state file.
        title: What the student reads.
        sources: The student's files it depends on.
        run: Measures.
        model: Checks what came back.
        files: Files that the step itself writes, beside its state. They go to results/ together with the JSON that describes them, so
            that an interrupted run leaves no trace or weights beside the figures of another.
    """

    name: str
    title: str
    sources: tuple[str, ...]
    run: Callable[[Advance], dict[str, Any]]
    model: type[BaseModel]
    files: tuple[str, ...] = ()


def measure(submission: Path, data: Path, *, plan: str = "standard", console: Console | None = None, fresh: bool = False) -> None:
    """Measures what is not measured yet.

    Args:
        submission: The submission's folder; results/ is written into it.
        data: The data set's folder.
        plan: `standard` or `quick`.
        console: Where progress goes.
        fresh: Measures everything again.

    Raises:
        LabError: The folder, the data or the plan is not usable; or some step could not be measured (what could is kept).
    """
    console = console or Console(highlight=False)
    chosen = plan_named(plan)
    if not any((submission / name).is_file() for name in MODULE_FILES):
        raise LabError(f"Expected a folder with the lab's files ({', '.join(MODULE_FILES)}), received {submission}.")
    dataset = _dataset(data)
    _warn_if_busy(console)
    results = (submission / RESULTS_FOLDER).resolve()
    state = State(results)
    with closing(launcher(devices=True)) as started, closing(Submission(submission.resolve(), started, limits.MEASURE)) as student:
        bench = Bench(student, data.resolve(), results, chosen)
        steps = _steps(bench)
        outcomes: dict[str, Any] = {}
        problems: list[str] = []
        anew = False
        with _progress(console) as progress:
            for step in steps:
                made_with = identity(submission, step.sources, chosen, dataset.manifest_sha256, dataset.name)
                outcome = None if fresh else state.load(step.name, made_with)
                if outcome is not None and all((results / STATE_FOLDER / name).is_file() for name in step.files):
                    console.print(Text(f"  done before   {step.title}"))
                else:
                    anew = True
                    outcome = _run(step, bench, progress, console, problems)
                    if outcome is None:
                        continue
                    state.save(step.name, made_with, outcome)
                outcomes[step.name] = outcome
        _write_results(results, outcomes, chosen)
        if not problems and (anew or not _described(submission, dataset, chosen)):
            machine = describe(bench.software(), dataset, chosen.name, submission)
            write_whole(results / FILES[type(machine)], machine.model_dump_json(indent=1).encode())
    if problems:
        raise MeasureError(
            f"{len(problems)} of {len(steps)} steps could not be measured, the others are kept: {'; '.join(problems)}. "
            "Mend that and run the same command; it continues."
        )
    for line in verdict_lines(Results(submission)):
        console.print(Text(line))
    console.print(Text(f"All is measured; the figures are in {submission / RESULTS_FOLDER}. Now fill in findings.toml."))


def _steps(bench: Bench) -> list[Step]:
    plan = bench.plan
    steps = [
        Step(
            "kernels",
            "profile of three images",
            ("data.py", "model.py", "profiling.py"),
            bench.kernels,
            Kernels,
            tuple(f"{TRACE_FOLDER}/{number}.xplane.pb" for number in range(3)),
        ),
        Step("timings", "online and batch inference", ("data.py", "model.py", "timing.py"), bench.timings, Timings),
        Step("main", "training with early stopping", ("data.py", "model.py", "training.py"), bench.main_run, MainRun, (WEIGHTS_FILE,)),
    ]
    for epoch_limit in plan.sweep_limits:
        for batch_size in plan.sweep_batches:
            title = f"sweep: at most {epoch_limit} epochs, batch size {batch_size}"

            def run(advance: Advance, epoch_limit: int = epoch_limit, batch_size: int = batch_size) -> dict[str, Any]:
                return bench.sweep_run(epoch_limit, batch_size, advance)

            steps.append(Step(_sweep_step(epoch_limit, batch_size), title, ("data.py", "model.py", "training.py"), run, SweepRun))
    return steps


def _sweep_step(epoch_limit: int, batch_size: int) -> str:
    return f"sweep-{epoch_limit}-{batch_size}"


def _run(step: Step, bench: Bench, progress: Progress, console: Console, problems: list[str]) -> dict[str, Any] | None:
    task = progress.add_task(step.title, total=None)
    if not console.is_terminal:
        console.print(Text(f"  measuring     {step.title}"))
    try:
        outcome = step.run(lambda done, total: progress.update(task, completed=done, total=total))
        checked = step.model.model_validate_json(json.dumps(outcome, allow_nan=False))
    except KeyboardInterrupt:
        console.print(Text("Stopped. What was measured is kept: the same command goes on from there."))
        raise
    except (CheckFailed, CheckEnded) as error:
        feedback = error.feedback
        where = f" ({feedback.where})" if feedback.where and feedback.where not in feedback.summary else ""
        _problem(f"{step.title}: {feedback.summary}{where}", bench, problems, progress, task, console)
        return None
    except (ValidationError, ValueError, TypeError) as error:
        reason = clean(str(error), lines=40).replace("\n", " ")[:300]
        _problem(f"{step.title}: a function returned what cannot be: {reason}", bench, problems, progress, task, console)
        return None
    progress.remove_task(task)
    console.print(Text(f"  measured      {step.title}"))
    return checked.model_dump()


def _problem(text: str, bench: Bench, problems: list[str], progress: Progress, task: TaskID, console: Console) -> None:
    progress.remove_task(task)
    console.print(Text(f"  not measured  {clean(text)}"))
    problems.append(clean(text, lines=1))
    # The next step starts in a new worker: this one may be gone or half-way through something.
    bench.submission.restart()
    bench.forget()


def _write_results(results: Path, outcomes: dict[str, Any], plan: Plan) -> None:
    if "kernels" in outcomes:
        for number in range(3):
            _hand_out(results, f"{TRACE_FOLDER}/{number}.xplane.pb")
        _write(results, Kernels(**outcomes["kernels"]))
    if "timings" in outcomes:
        _write(results, Timings(**outcomes["timings"]))
    settings = [_sweep_step(limit, batch) for limit in plan.sweep_limits for batch in plan.sweep_batches]
    if "main" in outcomes and all(name in outcomes for name in settings):
        _hand_out(results, WEIGHTS_FILE)
        _write(results, Training(main=MainRun(**outcomes["main"]), sweep=[SweepRun(**outcomes[name]) for name in settings]))


def _hand_out(results: Path, name: str) -> None:
    write_whole(results / name, (results / STATE_FOLDER / name).read_bytes())


def _write(results: Path, artifact: BaseModel) -> None:
    write_whole(results / FILES[type(artifact)], artifact.model_dump_json(indent=1).encode())


def _described(submission: Path, dataset: Dataset, plan: Plan) -> bool:
    """Whether machine.json is there and tells of these sources, data and plan: what it says of the machine stays with the figures."""
    try:
        machine = Results(submission).read(Machine)
    except ResultsError:
        return False
    return (machine.sources, machine.dataset, machine.plan) == (source_digests(submission), dataset, plan.name)


def _dataset(data: Path) -> Dataset:
    if not data.is_dir():
        raise DataError(f"There is no data folder {data}; make it with `lab data make small`, or name another with --data.")
    info = inspect(data)
    if not info.whole:
        fault = info.faults[0] if info.faults else "it is incomplete"
        raise DataError(f"The data in {data} is not whole: {fault}. `lab data info {data}` tells more, `lab data make` mends it.")
    has_manifest = (data / MANIFEST_FILE).is_file()
    return Dataset(name=info.name, manifest_sha256=(info.manifest_sha256 or "") if has_manifest else "")


def _warn_if_busy(console: Console) -> None:

    load, cores = load_average()[0], os.cpu_count() or 1
    if load > BUSY * cores:
        console.print(
            Text(f"This machine is busy (load {load:g} on {cores} cores): timings will be unsteady. Close other programs for better ones.")
        )


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("  {task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress
