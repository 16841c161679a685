"""Section 5, training: early stopping, fair comparisons, and what the student's own training reached."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st

from grader.artifacts import Machine, MissingResults, Results, Training, read_weights
from grader.checks import compare, oracle
from grader.checks.check import check, examples
from grader.checks.compare import Mistake, fail, require
from grader.checks.findings import each, finding, supported
from grader.dataset.make import held_out
from grader.dataset.weights import pretrained_weights
from grader.errors import DataError
from grader.host.submission import Submission
from grader.lab import CLASSES, IMAGE_SHAPE, TRAINING_BATCH_SIZES
from grader.outcomes import CheckEnded
from grader.results import State
from grader.rubric.stopping_rules import (
    WRONG_REACHES,
    WRONG_STOPS,
    WRONG_TRAININGS,
    Script,
    draw_scripts,
    explanation,
    reach,
    stop,
)

STEPS: Final = 2
"""Training batches an epoch of a scripted training."""

LOW: Final = 10 / CLASSES
FULL: Final = 0.30
"""Top-1 accuracy on held-out pictures that earns the first and the last of the points. Set from measured runs of the lab's network on
the small embedded set: whole trainings with early stopping reached 0.39 to 0.62 on its validation pictures, one that ends after half as
many epochs passes 0.2. So a whole training has all the points with room to spare, and ten times chance has none."""

HELD_OUT: Final = 500
CHUNK: Final = 250
"""Pictures in one frame: 12 MB."""

CHECKED: Final = 8
"""Pictures whose labels are worked out on this side too, from the weights."""

COPY_FIRST: Final = 0.98
COPY_ALL: Final = 0.82
"""Mean correlation of filters, best partner each, from which weights count as the package's own: of the first layer, and the median of all
layers. Trainings from other first weights stay far under both (untrained ones have 0.25 and 0.1); the shipped weights and their own first
ones have 0.93 and 0.72. A copy with so much noise that it passes (0.7 of each layer's deviation) has an accuracy of 0.1."""

SWEEP_LIMITS: Final = 2

_HISTORY: Final = ("loss", "accuracy", "val_loss", "val_accuracy")
_SIXTYFOURTHS: Final = st.integers(0, 96).map(lambda n: n / 64)
"""Numbers that are exact in binary, so that a border is met exactly however the comparison is written."""

_LOSSES: Final = st.lists(_SIXTYFOURTHS, min_size=1, max_size=12)
_DELTAS: Final = st.sampled_from([0.0, 1 / 64, 2 / 64, 4 / 64, 8 / 64])


@check(points=3)
@examples(count=80, losses=_LOSSES, min_delta=_DELTAS, patience=st.integers(1, 4))
def test_early_stopping(submission: Submission, losses: list[float], min_delta: float, patience: int) -> None:
    """The rule of early stopping: where training ends, and the last epoch that improved."""

    def ask(*case: Any) -> tuple[int, int]:
        given = compare.record(submission.training.early_stopping(*case), ("epochs_run", "best_epoch"), "early_stopping's result", "Stop")
        return compare.integer(given["epochs_run"], "epochs_run"), compare.integer(given["best_epoch"], "best_epoch")

    expected = stop(losses, min_delta, patience)
    found = ask(losses, min_delta, patience)
    if found != expected:
        named = explanation(WRONG_STOPS, _BATTERY, [ask(*case) for case in _BATTERY])
        ask(losses, min_delta, patience)  # so that this is the call that the student is shown
        fail(
            f"early_stopping: {named.summary}" if named else "early_stopping ends in the wrong place",
            f"val_losses = {losses}, min_delta = {min_delta}, patience = {patience}",
            f"expected: epochs_run {expected[0]}, best_epoch {expected[1]}",
            f"received: epochs_run {found[0]}, best_epoch {found[1]}",
            help=named.help if named else "Go through the losses by hand, epoch by epoch, and note the best loss after each.",
        )


def _battery() -> list[tuple[list[float], float, int]]:
    rng = np.random.default_rng(5)
    cases = []
    for number in range(60):
        losses = [1.0]
        for step in rng.integers(-5, 6, int(rng.integers(2, 11))):
            losses.append(max(0.0, losses[-1] + int(step) / 64))
        cases.append((losses, (1, 2, 3, 0)[number % 4] / 64, 1 + number // 4 % 4))
    return cases


_BATTERY: Final = _battery()
"""Cases on which every wrong rule differs from the others: what a wrong solution gives for all of them names its mistake."""


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one scripted training: by the counters of the model, and by what `train` returned."""

    epochs_run: float
    epoch_of_weights: float
    own_optimizer: bool
    history: Any


@check(points=3)
def test_train_stops(submission: Submission, rng: np.random.Generator) -> None:
    """Training ends where early stopping or the epoch limit ends it, and the history has one number for each epoch."""
    scripts = draw_scripts(rng, 7)
    runs = _train_all(submission, scripts)
    # What an earlier training left behind is another check's matter: a run that is wrong is judged alone in a new worker.
    for place in [place for place, script in enumerate(scripts) if runs[place].epochs_run != script.epochs_run]:
        runs[place] = _train_alone(submission, scripts[place])
    for script, run in zip(scripts, runs, strict=True):
        _require_trained(run)
        require(
            run.epochs_run <= len(script.losses),
            "train goes on past the epoch limit",
            f"expected: at most epochs={len(script.losses)}",
            f"received: {run.epochs_run:g} epochs",
            help="Pass epochs on to fit.",
        )
    wrong = next((place for place, script in enumerate(scripts) if runs[place].epochs_run != script.epochs_run), None)
    if wrong is not None:
        named = explanation(WRONG_TRAININGS, [(script,) for script in scripts], [run.epochs_run for run in runs])
        fail(
            f"train: {named.summary}" if named else "train ends after the wrong epoch",
            *_described(scripts[wrong]),
            f"expected: {scripts[wrong].epochs_run} epochs",
            f"received: {runs[wrong].epochs_run:g} epochs",
            help=named.help if named else "Compare with what early_stopping gives for the same validation losses.",
        )
    for script, run in zip(scripts, runs, strict=True):
        _check_history(run, script)


@check(points=3)
def test_train_restores(submission: Submission, rng: np.random.Generator) -> None:
    """After training the model has the weights of the best epoch, whether the rule or the epoch limit ended it."""
    scripts = _restoring(draw_scripts(rng, 60))
    runs = _train_all(submission, scripts)

    def right(script: Script, run: Run) -> bool:
        return abs(run.epoch_of_weights - script.best_of(round(run.epochs_run))) < 0.01

    for place in [place for place, script in enumerate(scripts) if not right(script, runs[place])]:
        runs[place] = _train_alone(submission, scripts[place])
    wrong = next((place for place, script in enumerate(scripts) if not right(script, runs[place])), None)
    for run in runs:
        _require_trained(run)
    if wrong is None:
        return
    script, run = scripts[wrong], runs[wrong]
    summary, advice = _restoring_mistake(scripts, runs, right)
    fail(
        f"train: {summary}",
        *_described(script),
        f"epochs run: {run.epochs_run:g}",
        f"expected: the weights after epoch {script.best_of(round(run.epochs_run))}",
        f"received: the weights after epoch {run.epoch_of_weights:.4g}",
        help=advice,
    )


def _restoring(scripts: Sequence[Script]) -> list[Script]:
    # Ended by the rule; by the limit, after a best epoch that is not the last; with a smallest loss that did not count as improvement.
    small = {script for script in scripts if _smallest(script, script.epochs_run) != script.best_of(script.epochs_run)}
    stopped = next(script for script in scripts[1:] if script.epochs_run < len(script.losses) and script not in small)
    limited = next(
        script
        for script in scripts[1:]
        if script.epochs_run == len(script.losses) and script.best_of(99) < len(script.losses) and script not in small
    )
    return [stopped, limited, next(script for script in scripts[1:] if script in small)]


def _smallest(script: Script, epochs_run: float) -> int:
    return int(np.argmin(script.losses[: max(1, round(epochs_run))])) + 1


def _restoring_mistake(scripts: Sequence[Script], runs: Sequence[Run], right: Any) -> tuple[str, str]:
    pairs = list(zip(scripts, runs, strict=True))
    at_end = [abs(run.epoch_of_weights - run.epochs_run) < 0.01 for run in runs]
    by_limit = [run.epochs_run == len(script.losses) for script, run in pairs]
    good = [right(script, run) for script, run in pairs]
    keras = "With Keras: EarlyStopping(..., restore_best_weights=True)."
    if all(at_end):
        return "the best weights are not restored: the model keeps those of the last epoch", keras
    if all(abs(run.epoch_of_weights - _smallest(script, run.epochs_run)) < 0.01 for script, run in pairs):
        return "the weights of the smallest loss are restored, although that epoch did not improve by min_delta", (
            "The best epoch is the last one whose loss was < best - min_delta, as in early_stopping."
        )
    if all(one or (last and limit) for one, last, limit in zip(good, at_end, by_limit, strict=True)):
        return "the best weights are restored only when early stopping ended the training, not when the epoch limit did", (
            "Restore them after the last epoch in both cases."
        )
    if all(one or (last and not limit) for one, last, limit in zip(good, at_end, by_limit, strict=True)):
        return "the best weights are restored only when the epoch limit ended the training, not when early stopping did", (
            "Restore them after the last epoch in both cases."
        )
    if all(abs(run.epoch_of_weights - script.best_of(round(run.epochs_run)) + 1) < 0.01 for script, run in pairs):
        return "the weights of the epoch before the best one are restored", "Copy the weights after the epoch, not before it."
    if all(abs(run.epoch_of_weights) < 0.01 for run in runs):
        return "the weights from before the training are restored", "Copy the weights (model.get_weights()) after each epoch that improves."
    return "the model does not end with the weights of the best epoch", keras


@check(points=1, needs=("train_stops",))
def test_train_repeats(submission: Submission, rng: np.random.Generator) -> None:
    """A second training in the same program does not depend on the first."""
    # The first ends with a loss that the second never reaches, so that whatever is kept shows.
    first = Script((1.4, 1.2, 0.8, 0.9, 0.95, 1.0), (1.3, 1.2, 1.1, 1.0, 0.9, 0.8), (0.125, 0.5, 1.0, 0.5, 0.25, 0.25))
    start = 2.0 + round(float(rng.uniform(0.0, 0.5)), 3)
    steps = (0.0, -0.2, -0.4, -0.38, -0.6, -0.59, -0.595)
    second = Script(tuple(start + step for step in steps), (1.7, 1.6, 1.5, 1.4, 1.3, 1.2, 1.1), (0.125, 0.25, 0.25, 0.5, 0.5, 0.5, 0.5))
    _train_alone(submission, first)
    after = _train(submission, _kit(submission, second), second)
    if (after.epochs_run, round(after.epoch_of_weights, 2)) == (second.epochs_run, second.best_of(second.epochs_run)):
        return
    alone = _train_alone(submission, second)
    if (after.epochs_run, round(after.epoch_of_weights, 2)) == (alone.epochs_run, round(alone.epoch_of_weights, 2)):
        return  # the same mistake both times: that is what train_stops and train_restores look at
    fail(
        "train: the second training of a program goes wrong: something is kept from the first one",
        *_described(second),
        f"expected, as when it runs alone: {alone.epochs_run:g} epochs, weights of epoch {alone.epoch_of_weights:.4g}",
        f"received: {after.epochs_run:g} epochs, weights of epoch {after.epoch_of_weights:.4g}",
        help="Make a new callback inside train for each training: a callback object keeps its best loss, count and weights.",
    )


@check(points=1)
def test_train_learns(submission: Submission, rng: np.random.Generator) -> None:
    """Training really trains: a small classifier learns to tell groups of points apart."""
    classes, features, tolerance = 4, 8, 0.15
    centres = rng.choice([-1.0, 1.0], (classes, features)) * rng.uniform(1.0, 2.0, (classes, features))
    centres[:, :classes] += 2.0 * np.eye(classes)

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = rng.permutation(np.arange(count) % classes)
        return (centres[labels] + rng.normal(0, 0.8, (count, features))).astype(np.float32), labels.astype(np.int32)

    train_part, val_part, (images, labels) = draw(384), draw(96), draw(400)
    kit = submission.tools.learnable_problem(*train_part, *val_part, classes)
    history = submission.training.train(kit["model"], kit["train_data"], kit["val_data"], epochs=6)
    columns = _columns(history)
    for name, values in columns.items():
        for value in values:
            compare.number(value, f"a number in history[{name!r}]")
    output = submission.tools.outputs(kit["model"], images)
    require(
        isinstance(output, np.ndarray) and output.shape == (len(labels), classes) and bool(np.isfinite(output).all()),
        "the trained model gives no probabilities any more",
        f"expected: finite numbers of shape {(len(labels), classes)}",
        f"received: {compare.show(output)}",
    )
    accuracy = float((output.argmax(axis=1) == labels).mean())
    require(
        accuracy >= 0.8,
        "the model did not learn: its accuracy on new points is near chance",
        f"expected: at least 0.8 (chance: {1 / classes})",
        f"received: {accuracy:.3f}",
        help="Look whether train_data and val_data are exchanged, and whether the model that was given is the one that is trained.",
    )
    best = max((value for value in columns["val_accuracy"]), default=0.0)
    require(
        best >= accuracy - tolerance,
        "the history's val_accuracy is not that of the model",
        f"accuracy of the trained model on new points of the same kind: {accuracy:.3f}",
        f"largest val_accuracy in the history: {best:.3f}",
    )


@check(points=3)
def test_sweep(submission: Submission, rng: np.random.Generator) -> None:
    """A sweep trains a fresh model for each setting, and evaluates the model that it trained."""
    limits = [int(value) for value in rng.permutation([2, 3, 5, 7])[:3]]
    batch_sizes = [int(value) for value in rng.permutation([3, 4, 6, 8])[:2]]
    events, settings = _sweep(submission, limits, batch_sizes, rng)
    expected = [(limit, size) for limit in limits for size in batch_sizes]
    _check_trainings([event for event in events if event["event"] == "train"], expected)
    _check_evaluations(events, expected)
    _check_settings(settings, events, expected)


@check(points=1)
@examples(count=60, accuracies=st.lists(_SIXTYFOURTHS.map(lambda x: x / 2), min_size=1, max_size=12), tolerance=_DELTAS)
def test_epochs_needed(submission: Submission, accuracies: list[float], tolerance: float) -> None:
    """The smallest number of epochs that comes within a tolerance of the best accuracy."""

    def ask(*case: Any) -> int:
        return compare.integer(submission.training.epochs_needed(*case), "epochs_needed's result")

    expected = reach(accuracies, tolerance)
    found = ask(accuracies, tolerance)
    if found != expected:
        cases = [([value / 2 for value in losses], delta) for losses, delta, _ in _BATTERY]
        named = explanation(WRONG_REACHES, cases, [ask(*case) for case in cases])
        ask(accuracies, tolerance)
        fail(
            f"epochs_needed: {named.summary}" if named else "epochs_needed is wrong",
            f"val_accuracies = {accuracies}, tolerance = {tolerance}",
            f"expected: {expected}",
            f"received: {found}",
            help=named.help if named else "The first epoch, counted from 1, whose accuracy is >= best - tolerance.",
        )


@check(points=3, wall_s=40.0)
def test_accuracy(submission: Submission, results: Results, seed: bytes) -> None:
    """The trained weights recognise new pictures: Top-1 accuracy on images that nobody has seen."""
    weights = results.weights()
    main = results.read(Training).main
    _refuse_copies(weights)
    model = submission.model.build_model()
    submission.tools.build(model, list(IMAGE_SHAPE))
    shapes = [tuple(array.shape) for array in submission.tools.weights(model)]
    require(
        shapes == [array.shape for array in weights],
        "results/weights.safetensors does not fit build_model()",
        f"build_model() has: {compare.show(shapes)}",
        f"the file has: {compare.show([array.shape for array in weights])}",
        help="If you changed the model after measuring, run `lab measure` again.",
    )
    submission.tools.set_weights(model, weights)
    images, labels = held_out(seed, HELD_OUT)
    found = np.concatenate([_classify(submission, model, images[start : start + CHUNK]) for start in range(0, HELD_OUT, CHUNK)])
    _require_own_labels(weights, images, found)
    accuracy = float((found == labels).mean())
    claimed = main.val_correct / main.val_total
    # Five standard errors of the difference, and 0.03 for what differs between two sets.
    spread = math.sqrt(max(claimed * (1 - claimed), 0.01) * (1 / main.val_total + 1 / HELD_OUT))
    sides = (
        f"accuracy on {HELD_OUT} new pictures: {accuracy:.3f}",
        f"in results/training.json: {main.val_correct}/{main.val_total} = {claimed:.3f}",
    )
    require(
        main.val_correct <= main.val_total and abs(claimed - accuracy) <= 5 * spread + 0.03,
        "the accuracy in results/training.json is not reproduced with these weights",
        *sides,
        help=_unlike(results)
        or "The file and the weights must come from the same `lab measure`; images must be float32 in [0, 1] in both.",
    )
    share = min(1.0, max(0.0, (accuracy - LOW) / (FULL - LOW)))
    share = round(share * 30) / 30  # tenths of a point, so that a last bit cannot change the grade
    if share < 1:
        fail(
            "the trained network recognises too few new pictures for all points",
            *sides,
            f"no points up to {LOW:.3f}, all points from {FULL:.3f} (chance: {1 / CLASSES})",
            help=_unlike(results) or _short_plan(results) or "Look for what makes your training weak: decode_image, build_model, or train.",
            earned=share,
        )


@check(points=2)
def test_training_findings(folder: Any, results: Results) -> None:
    """What was found about training, against the student's own runs."""

    def needed() -> None:
        found = finding(folder, "training", "epochs_needed", int)
        accuracies = results.read(Training).main.history.val_accuracy
        last = int(np.argmax(accuracies)) + 1
        # 0.01 has no exact binary form: an accuracy on the border may fall on either side.
        allowed = {reach(accuracies, 0.01 - 1e-9), reach(accuracies, 0.01 + 1e-9)}
        if found.value not in allowed:
            zero = Mistake(min(allowed) - 1, "the epoch is counted from 0", "Epochs are counted from 1.")
            argmax = Mistake(last, "this is the epoch with the best accuracy", "The first epoch within 0.01 of it is asked for.")
            supported(found, min(allowed), "results/training.json", mistakes=(argmax, zero))

    def larger_limit() -> None:
        found = finding(folder, "training", "larger_limit_changes", bool)
        allowed = _limit_changes(results.read(Training))
        if found.value not in allowed:
            supported(found, next(iter(allowed)), "results/training.json", help="Compare epochs_run of the same batch size in the sweep.")

    each(needed, larger_limit, lambda: _check_training_file(results.read(Training)))


# ---------------------------------------------------------------------------------------------------------------------- scripted trainings


def _kit(submission: Submission, script: Script) -> Any:
    return submission.tools.scripted_training(script.losses, script.train_losses, script.accuracies, STEPS)


def _train(submission: Submission, kit: Any, script: Script) -> Run:
    given = {"min_delta": script.min_delta, "patience": script.patience}
    options = {name: value for name, value in given.items() if value is not None}
    history = submission.training.train(kit["model"], kit["train_data"], kit["val_data"], epochs=len(script.losses), **options)
    state = submission.tools.training_state(kit["model"])
    return Run(float(state["epochs_run"]), float(state["epoch_of_weights"]), bool(state["own_optimizer"]), history)


def _train_all(submission: Submission, scripts: Sequence[Script]) -> list[Run]:
    """Trains one model by each script in turn; it is taken back to its start in between."""
    kit = _kit(submission, scripts[0])
    runs = []
    for script in scripts:
        submission.tools.new_script(kit["model"], script.losses, script.train_losses, script.accuracies)
        runs.append(_train(submission, kit, script))
    return runs


def _train_alone(submission: Submission, script: Script) -> Run:
    submission.restart()
    return _train(submission, _kit(submission, script), script)


def _require_trained(run: Run) -> None:
    require(
        run.own_optimizer,
        "train compiles the model anew, or gives it another optimizer",
        help="The model comes compiled; train it with the optimizer and the loss it has.",
    )
    require(run.epochs_run > 0, "train does not train the model: no step of its optimizer was made", help="Call model.fit.")
    require(
        abs(run.epochs_run - round(run.epochs_run)) < 1e-6,
        "an epoch of train is not one pass over train_data",
        f"batches in train_data: {STEPS}",
        f"steps of the optimizer in all: {run.epochs_run * STEPS:g}",
        help="Each epoch goes through every batch of train_data once.",
    )


def _described(script: Script) -> tuple[str, ...]:
    min_delta, patience = script.rule
    losses = ", ".join(f"{loss:.4g}" for loss in script.losses)
    return (f"validation loss by epoch: {losses}", f"min_delta {min_delta:.4g}, patience {patience}, epoch limit {len(script.losses)}")


def _columns(history: Any) -> dict[str, list[Any]]:
    require(
        isinstance(history, dict),
        "train should return the history as a dict",
        f"expected: a dict with {', '.join(_HISTORY)}",
        f"received: {compare.show(history)}",
        help="fit returns a History object; what is asked for is in its attribute history.",
    )
    missing = [name for name in _HISTORY if name not in history]
    require(
        not missing,
        f"the history lacks {', '.join(missing)}",
        f"expected: {', '.join(_HISTORY)}",
        f"received: {', '.join(str(name)[:40] for name in history)}",
        help="Pass validation_data to fit; the model comes with the metric accuracy.",
    )
    return {name: compare.sequence(history[name], f"history[{name!r}]") for name in _HISTORY}


def _check_history(run: Run, script: Script) -> None:
    columns = _columns(run.history)
    epochs = round(run.epochs_run)
    for name, values in columns.items():
        require(
            len(values) == epochs,
            f"history[{name!r}] should have one number for each epoch that was run",
            f"expected: {epochs} numbers (the epoch limit was {len(script.losses)})",
            f"received: {len(values)}",
            help="Do not fill the lists up to the epoch limit, and do not cut them at the best epoch.",
        )
        for value in values:
            compare.number(value, f"a number in history[{name!r}]")
    for name, expected in (("val_loss", script.losses), ("val_accuracy", script.accuracies)):
        compare.array(
            np.asarray([float(value) for value in columns[name]]),
            np.asarray(expected[:epochs]),
            f"history[{name!r}]",
            tolerance=2e-3,
            help="One number an epoch, on val_data, with the weights after that epoch.",
            mistakes=[
                Mistake(np.asarray(script.train_losses[:epochs]), "history['val_loss'] holds the training loss", "Evaluate on val_data."),
                Mistake(np.asarray(script.losses[:epochs])[::-1], f"history[{name!r}] is in the wrong order"),
            ],
        )


# ---------------------------------------------------------------------------------------------------------------------------------- sweep


def _sweep(submission: Submission, limits: list[int], sizes: list[int], rng: np.random.Generator) -> tuple[list[dict[str, Any]], list[Any]]:
    events: list[dict[str, Any]] = []
    draws = [float(value) for value in rng.permutation(np.arange(1, 400)) / 400]

    def tell(event: dict[str, Any]) -> Any:
        require(isinstance(event, dict) and isinstance(event.get("event"), str) and len(events) < 200, "sweep makes too many calls")
        events.append(event)
        if event["event"] == "train":
            epochs = max(1, min(50, int(event["epochs"])))
            run = 1 + len(events) % epochs
            event["history"] = {name: [draws.pop() for _ in range(run)] for name in _HISTORY}
            return event["history"]
        if event["event"] == "evaluate":
            event["accuracy"] = draws.pop()
            return event["accuracy"]
        return None

    kit = submission.tools.sweep_kit(tell)
    functions = [kit[name] for name in ("make_model", "make_data", "train", "evaluate")]
    found = submission.training.sweep(*functions, epoch_limits=limits, batch_sizes=sizes)
    return events, compare.sequence(found, "sweep's result")


def _check_trainings(trainings: list[dict[str, Any]], expected: list[tuple[int, int]]) -> None:
    require(bool(trainings), "sweep never calls the train that it is given", help="Use the argument train: it hides the module's function.")
    asked = [(event["epochs"], event["batch_size"]) for event in trainings]
    for number, event in enumerate(trainings, start=1):
        if not event["fresh_weights"]:
            fail(
                "sweep: a setting starts from the weights of the one before",
                "expected: fresh weights for each setting",
                f"received: setting {number} (batch size {event['batch_size']}, epoch limit {event['epochs']}) has trained weights",
                help="Call make_model() for each setting, inside both loops.",
            )
        if not event["fresh_optimizer"]:
            fail(
                "sweep: a setting starts with the optimizer state of the one before",
                "expected: a fresh optimizer for each setting",
                f"received: setting {number} has an optimizer that has made steps already",
                help="Setting the weights back is not enough: Adam keeps moments of its own. Call make_model() for each setting.",
            )
        require(
            event["number"] > 0,
            "sweep trains a model that make_model did not make",
            help="Call make_model() for each setting, and train what it returns.",
        )
        require(
            event["data"] not in ("val,train", "val,val"),
            "sweep trains on the validation data",
            "expected: train(model, train_data, val_data, epochs=limit)",
            f"received: data in the order {event['data']}",
            help="make_data gives (train_data, val_data), in this order.",
        )
    if asked == expected:
        return
    wanted_sizes, wanted_limits = {size for _, size in expected}, {limit for limit, _ in expected}
    sides = (
        f"expected (epoch limit, batch size): {', '.join(map(str, expected))}",
        f"received: {', '.join(map(str, asked[:12]))}",
    )
    if len({size for _, size in asked}) < len(wanted_sizes):
        fail("sweep: every setting was trained with the same batch size", *sides, help="Call make_data(batch_size) for each batch size.")
    if len({limit for limit, _ in asked}) < len(wanted_limits):
        fail("sweep: every setting was trained with the same epoch limit", *sides, help="Pass the limit: train(..., epochs=epoch_limit).")
    if sorted(asked) == sorted(expected):
        fail("sweep trains the settings in another order", *sides, help="Epoch limits are the outer loop, batch sizes the inner one.")
    if len(asked) != len(expected):
        fail("sweep does not train each setting once", *sides, help="Train one model for each pair of epoch limit and batch size.")
    fail("sweep trains other settings than it is asked for", *sides, help="Train one model for each pair of epoch limit and batch size.")


def _check_evaluations(events: list[dict[str, Any]], expected: list[tuple[int, int]]) -> None:
    setting = 0
    trained: set[int] = set()
    for event in events:
        if event["event"] == "train":
            setting += 1
            trained.add(event["number"])
        elif event["event"] == "evaluate":
            if event["number"] not in trained or not event["trainings"]:
                fail(
                    "sweep evaluates a model that was not trained",
                    "expected: the model that train was given",
                    f"received: model {event['number'] or 'of another make'}, trained {event['trainings']} times",
                    help="Evaluate the object that was trained; make_model() gives a new, untrained one.",
                )
            require(
                event["data"] != "train",
                "sweep evaluates on the training data",
                help="evaluate(model, val_data): accuracy on images the model has not learned from.",
            )
    del expected


def _check_settings(settings: list[Any], events: list[dict[str, Any]], expected: list[tuple[int, int]]) -> None:
    fields = ("batch_size", "epoch_limit", "epochs_run", "train_accuracy", "val_accuracy")
    require(
        len(settings) == len(expected),
        "sweep should return one setting for each pair of epoch limit and batch size",
        f"expected: {len(expected)}",
        f"received: {len(settings)}",
    )
    trainings = [event for event in events if event["event"] == "train"]
    evaluations = _evaluations(events)
    every = [accuracy for answers in evaluations for accuracy in answers]
    for number, (found, (limit, size), training) in enumerate(zip(settings, expected, trainings, strict=True)):
        what = f"setting {number + 1}"
        row = compare.record(found, fields, what, "Setting")
        history = training["history"]
        swapped = Mistake(size, "epoch_limit and batch_size are exchanged in Setting", "Name the fields: Setting(batch_size=..., ...).")
        compare.equal(row["epoch_limit"], limit, f"{what}'s epoch_limit", mistakes=[swapped])
        compare.equal(row["batch_size"], size, f"{what}'s batch_size")
        compare.equal(
            compare.integer(row["epochs_run"], f"{what}'s epochs_run"),
            len(history["loss"]),
            f"{what}'s epochs_run",
            help="The length of the history that train returned.",
            mistakes=[
                Mistake(
                    limit,
                    "epochs_run is the epoch limit, not the number of epochs that were run",
                    "Early stopping may end a training sooner: take the length of the history.",
                )
            ],
        )
        compare.close(
            row["train_accuracy"],
            history["accuracy"][-1],
            f"{what}'s train_accuracy",
            help="The last number of history['accuracy'].",
            mistakes=[
                Mistake(max(history["accuracy"]), "train_accuracy is the largest of the history, not the last"),
                Mistake(history["val_accuracy"][-1], "train_accuracy is taken from history['val_accuracy']"),
                Mistake(history["accuracy"][0], "train_accuracy is that of the first epoch, not the last"),
            ],
        )
        value = compare.number(row["val_accuracy"], f"{what}'s val_accuracy")
        if not any(abs(value - answer) < 1e-6 for answer in evaluations[number]):
            _name_val_accuracy(value, what, history, evaluations[number], every)


def _evaluations(events: list[dict[str, Any]]) -> list[list[float]]:
    # What evaluate gave for the model of each training, as long as that was the last training of this model.
    given: list[list[float]] = []
    last: dict[int, int] = {}
    for event in events:
        if event["event"] == "train":
            last[event["number"]] = len(given)
            given.append([])
        elif event["event"] == "evaluate" and event["number"] in last:
            given[last[event["number"]]].append(event["accuracy"])
    return given


def _name_val_accuracy(value: float, what: str, history: dict[str, list[float]], answers: list[float], every: list[float]) -> None:
    sides = (f"expected: {answers[-1]:.6g}" if answers else "evaluate was not called for this model", f"received: {value:.6g}")
    if any(abs(value - other) < 1e-6 for other in history["val_accuracy"]):
        advice = (
            "After training the model has its best weights; the history's numbers are those of other epochs. Use evaluate(model, val_data)."
        )
        fail(f"{what}'s val_accuracy is taken from the history, not from evaluate", *sides, help=advice)
    if any(abs(value - other) < 1e-6 for other in every):
        fail(f"{what}'s val_accuracy is that of the model of another setting", *sides, help="Evaluate each model right after its training.")
    fail(f"{what}'s val_accuracy is wrong", *sides, help="It is what evaluate(model, val_data) gives.")


# ------------------------------------------------------------------------------------------------------------------------------- accuracy


def _classify(submission: Submission, model: Any, images: np.ndarray) -> np.ndarray:
    scaled = images.astype(np.float32) / np.float32(255)
    try:
        found = submission.model.predict_classes(model, scaled)
    except CheckEnded as ended:
        if ended.state is not State.NOT_STARTED:
            raise
        output = submission.tools.outputs(model, scaled)
        require(
            isinstance(output, np.ndarray) and output.ndim == 2 and len(output) == len(images),
            "the model gives no row of probabilities for each image",
            f"received: {compare.show(output)}",
        )
        return np.asarray(output.argmax(axis=1))
    labels = compare.record(found, ("labels", "confidences"), "predict_classes' result", "Predictions")["labels"]
    labels = np.asarray(compare.sequence(labels, "predict_classes' labels", length=len(images)))
    require(labels.dtype.kind in "iu", "predict_classes' labels should be integers", f"received: {compare.show(labels)}")
    return labels


def _require_own_labels(weights: list[np.ndarray], images: np.ndarray, found: np.ndarray) -> None:
    """The labels must be those that the lab's network gives with these weights, and not another's."""
    network = oracle.lab_network()
    layers = [layer for layer in network if layer["kind"] in ("Conv2D", "Dense")]
    if len(weights) != 2 * len(layers):
        return  # another network: that is what the section on the model looks at
    by_name = {layer["name"]: [weights[2 * place], weights[2 * place + 1]] for place, layer in enumerate(layers)}
    places = range(0, len(images), len(images) // CHECKED)
    for place in places:
        try:
            row = oracle.run(network, by_name, images[place : place + 1] / 255.0)["dense2"][0]
        except ValueError:
            return
        label = int(found[place])
        require(
            0 <= label < len(row) and row[label] >= row.max() - 1e-3,
            "predict_classes does not give the labels of the network in results/weights.safetensors",
            f"picture {place}: expected label {int(row.argmax())}, received {label}",
            help="It should give the most probable class of the model that it is given.",
        )


def _refuse_copies(weights: list[np.ndarray]) -> None:
    try:
        shipped = read_weights(pretrained_weights())
    except (DataError, MissingResults):
        return  # installed without them: nothing to copy
    likeness = _likeness(weights, shipped)
    if likeness and (likeness[0] > COPY_FIRST or float(np.median(likeness)) > COPY_ALL):
        fail(
            "results/weights.safetensors holds the weights that ship with the package, or a copy with small changes",
            "expected: weights from your own training",
            f"correlation with the shipped weights: {likeness[0]:.3f} in the first layer, {np.median(likeness):.3f} in the median of all",
            help="`lab measure` trains with your train and writes the file.",
        )


def _likeness(ours: list[np.ndarray], theirs: list[np.ndarray]) -> list[float]:
    """Correlation of the filters of each layer, best partner each, whatever their order and size. Empty for networks of other shapes."""
    if [array.shape for array in ours] != [array.shape for array in theirs]:
        return []
    found: list[float] = []
    partner: np.ndarray | None = None
    for kernel, other in zip(ours, theirs, strict=True):
        if kernel.ndim < 2:
            continue
        if partner is not None:
            # The partners of the layer before are this layer's inputs; after the flattening each has several places.
            channels = len(partner)
            shape = (*other.shape[:-2], other.shape[-2] // channels, channels, other.shape[-1])
            other = other.reshape(shape)[..., partner, :].reshape(other.shape)
        products = _filters(kernel) @ _filters(other).T
        partner = products.argmax(axis=1)
        found.append(float(products.max(axis=1).mean()))
    return found


def _filters(kernel: np.ndarray) -> np.ndarray:
    rows = kernel.reshape(-1, kernel.shape[-1]).T.astype(np.float64)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def _short_plan(results: Results) -> str:
    try:
        plan = results.read(Machine).plan
    except MissingResults:
        return ""
    return (
        ""
        if plan == "standard"
        else f"These weights come from `lab measure --plan {plan[:20]}`, which trains too briefly: run `lab measure`."
    )


def _unlike(results: Results) -> str:
    try:
        name = results.read(Machine).dataset.name
    except MissingResults:
        return ""
    if name.startswith("embedded"):
        return ""
    return f"The weights were trained on {name[:60]!r}; the new pictures are of the embedded set: run `lab measure` on that one."


# ------------------------------------------------------------------------------------------------------------------------------- findings


def _limit_changes(training: Training) -> set[bool]:
    """Answers that the sweep supports: either, where no run was ended by early stopping below a larger limit."""
    pairs = [
        (run, other)
        for run in training.sweep
        for other in training.sweep
        if run.batch_size == other.batch_size and run.epochs_run < run.epoch_limit < other.epoch_limit
    ]
    if not pairs:
        return {True, False}
    return {any(run.epochs_run != other.epochs_run for run, other in pairs)}


def _check_training_file(training: Training) -> None:
    main = training.main
    lengths = {name: len(getattr(main.history, name)) for name in _HISTORY}
    epochs = lengths["val_loss"]
    advice = "Run `lab measure` again, and leave the files in results/ as it writes them."
    require(
        len(set(lengths.values())) == 1,
        "results/training.json: the curves of the main run have different lengths",
        f"received: {lengths}",
        help=advice,
    )
    require(
        epochs <= main.epoch_limit,
        "results/training.json: the main run has more epochs than its limit",
        f"epoch_limit: {main.epoch_limit}",
        f"numbers in the history: {epochs}",
        help=advice,
    )
    # The training compared float32 losses: a loss on the border may fall on either side.
    ends = {stop(main.history.val_loss, main.min_delta + shift, max(1, main.patience)) for shift in (-1e-6, 0.0, 1e-6)}
    stopped = any(run == epochs and (epochs == main.epoch_limit or run - best >= main.patience) for run, best in ends)
    require(
        stopped,
        "results/training.json: the main run did not end where early stopping ends it",
        f"min_delta {main.min_delta:g}, patience {main.patience}, epoch limit {main.epoch_limit}",
        f"epochs run: {epochs}",
        f"by its own val_loss it ends after epoch {min(ends)[0]}" if min(ends)[0] < epochs else "by its own val_loss it would have gone on",
        help=f"Mend train, then measure again. {advice}",
    )
    for run in training.sweep:
        require(
            1 <= run.epochs_run <= run.epoch_limit,
            "results/training.json: a run of the sweep has more epochs than its limit, or none",
            f"batch size {run.batch_size}, epoch_limit {run.epoch_limit}, epochs_run {run.epochs_run}",
            help=advice,
        )
    found = [(run.epoch_limit, run.batch_size) for run in training.sweep]
    limits = sorted({limit for limit, _ in found})
    wanted = sorted((limit, size) for limit in limits for size in TRAINING_BATCH_SIZES)
    require(
        len(limits) >= SWEEP_LIMITS and sorted(found) == wanted,
        "results/training.json: the sweep is not complete",
        f"expected: batch sizes {', '.join(map(str, TRAINING_BATCH_SIZES))}, each with the same epoch limits, at least {SWEEP_LIMITS}",
        f"received (epoch limit, batch size): {compare.show(found)}",
        help="Run `lab measure` again until it says that every step is done.",
    )
