"""Section 5, training: early stopping, fair comparisons, and what the student's own training reached."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st

from grader.artifacts import Results, Training
from grader.checks import compare
from grader.checks.check import check, examples
from grader.checks.compare import Mistake, fail, require
from grader.checks.findings import each, finding, supported
from grader.dataset.make import held_out
from grader.host.submission import Submission
from grader.lab import CLASSES, IMAGE_SHAPE
from grader.outcomes import CheckFailed
from grader.rubric.copies import Seen, refuse_copies, shipped
from grader.rubric.fair_sweep import check_evaluations, check_settings, check_trainings, watched_sweep
from grader.rubric.own_training import (
    by_layer,
    check_training_file,
    classify,
    limit_changes,
    own_probabilities,
    require_own_labels,
    short_plan,
    unlike,
)
from grader.rubric.scripted_training import (
    Lesson,
    Run,
    check_history,
    check_training_loss,
    columns_of,
    described,
    require_all_batches,
    require_own_losses,
    require_trained,
    require_within_limit,
    restoring,
    restoring_mistake,
    train_all,
    train_alone,
    wrong_ones_alone,
)
from grader.rubric.stopping_rules import (
    NOT_THE_FIRST,
    WRONG_REACHES,
    WRONG_STOPS,
    WRONG_TRAININGS,
    Script,
    explanation,
    reach,
    stop,
    telling_scripts,
)

LOW: Final = 10 / CLASSES
FULL: Final = 0.30
"""Top-1 accuracy on held-out pictures that earns the first and the last of the points. Set from measured runs of the lab's network on
the small embedded set: whole trainings with early stopping reached 0.39 to 0.62 on its validation pictures, one that ends after half as
many epochs passes 0.2. So a whole training has all the points with room to spare, and ten times chance has none."""

FURTHEST: Final = 0.25
"""How far a claimed accuracy may be from the one that is found, however few pictures it was claimed for."""

HELD_OUT: Final = 500
CHUNK: Final = 250
"""Pictures in one frame: 12 MB."""

_SIXTYFOURTHS: Final = st.integers(0, 96).map(lambda n: n / 64)
"""Numbers that are exact in binary, so that a border is met exactly however the comparison is written."""

_LOSSES: Final = st.lists(_SIXTYFOURTHS, min_size=1, max_size=12)
_DELTAS: Final = st.sampled_from([0.0, 1 / 64, 2 / 64, 4 / 64, 8 / 64])


def _battery() -> list[tuple[list[float], float, int]]:
    rng = np.random.default_rng(5)
    cases = []
    for number in range(60):
        losses = [1.0]
        for step in rng.integers(-5, 6, int(rng.integers(2, 11))):
            losses.append(max(0.0, losses[-1] + int(step) / 64))
        cases.append((losses, (1, 2, 3, 0)[number % 4] / 64, 1 + number // 4 % 4))
    return sorted(cases, key=lambda case: len(case[0]))  # a short case is shown rather than a long one


_BATTERY: Final = _battery()
"""Cases on which every wrong rule differs from the others: what a wrong solution gives for all of them names its mistake."""


_LARGE: Final = [([loss + 100.0 for loss in losses], delta, patience) for losses, delta, patience in _BATTERY[::12]]
"""Losses above any number that a best loss might begin at."""


@check(points=3)
@examples(
    count=60,
    always=[{"losses": losses, "min_delta": delta, "patience": patience} for losses, delta, patience in _BATTERY + _LARGE],
    losses=_LOSSES,
    min_delta=_DELTAS,
    patience=st.integers(1, 4),
)
def test_early_stopping(submission: Submission, losses: list[float], min_delta: float, patience: int) -> None:
    """The rule of early stopping: where training ends, and the last epoch that improved."""

    def ask(*case: Any) -> tuple[int, int]:
        given = compare.record(submission.training.early_stopping(*case), ("epochs_run", "best_epoch"), "early_stopping's result", "Stop")
        return compare.integer(given["epochs_run"], "epochs_run"), compare.integer(given["best_epoch"], "best_epoch")

    expected = stop(losses, min_delta, patience)
    found = ask(losses, min_delta, patience)
    if found != expected:
        named = explanation(WRONG_STOPS, _BATTERY, [ask(*case) for case in _BATTERY])
        if named is None and ask([loss - losses[0] - 100.0 for loss in losses], min_delta, patience) == expected:
            named = NOT_THE_FIRST
        fault = "ends in the wrong place" if found[0] != expected[0] else "ends where it should, but best_epoch is wrong"
        ask(losses, min_delta, patience)  # so that this is the call that the student is shown
        fail(
            f"early_stopping: {named.summary}" if named else f"early_stopping {fault}",
            f"val_losses = {losses}, min_delta = {min_delta}, patience = {patience}",
            f"expected: epochs_run {expected[0]}, best_epoch {expected[1]}",
            f"received: epochs_run {found[0]}, best_epoch {found[1]}",
            help=named.help if named else "Go through the losses by hand, epoch by epoch, and note the best loss after each.",
        )


@check(points=3)
def test_train_stops(submission: Submission, rng: np.random.Generator) -> None:
    """Training ends where early stopping or the epoch limit ends it, and the history has one number for each epoch."""
    scripts = telling_scripts(rng, 8)
    runs = wrong_ones_alone(submission, scripts, train_all(submission, scripts), lambda script, run: run.epochs_run == script.epochs_run)
    for script, run in zip(scripts, runs, strict=True):
        require_trained(run)
        require_within_limit(run, script)
    wrong = next((place for place, script in enumerate(scripts) if runs[place].epochs_run != script.epochs_run), None)
    if wrong is not None:
        named = explanation(WRONG_TRAININGS, [(script,) for script in scripts], [run.epochs_run for run in runs])
        if named is None:
            require_own_losses(runs[wrong], scripts[wrong])
        fail(
            f"train: {named.summary}" if named else "train ends after the wrong epoch",
            *described(scripts[wrong]),
            f"expected: {scripts[wrong].epochs_run} epochs",
            f"received: {runs[wrong].epochs_run:g} epochs",
            help=named.help if named else "Compare with what early_stopping gives for the same validation losses.",
        )
    for script, run in zip(scripts, runs, strict=True):
        check_history(run, script)
    for script, run in zip(scripts, runs, strict=True):
        check_training_loss(run, script)


@check(points=3)
def test_train_restores(submission: Submission, rng: np.random.Generator) -> None:
    """After training the model has the weights of the best epoch, whether the rule or the epoch limit ended it."""
    scripts = restoring(rng)

    def has_best(script: Script, run: Run) -> bool:
        return abs(run.epoch_of_weights - script.best_of(round(run.epochs_run))) < 0.01

    def right(script: Script, run: Run) -> bool:
        return has_best(script, run) and not run.averages_are_later

    runs = wrong_ones_alone(submission, scripts, train_all(submission, scripts), right)
    wrong = next((place for place, script in enumerate(scripts) if not right(script, runs[place])), None)
    for run in runs:
        require_trained(run)
    if wrong is None:
        require(
            any(script.best_of(round(run.epochs_run)) < round(run.epochs_run) for script, run in zip(scripts, runs, strict=True)),
            "train never goes on after its best epoch: whether it restores the best weights does not show",
            *described(scripts[0]),
            f"epochs run: {runs[0].epochs_run:g}",
            help="Training goes on for patience epochs after the best one, up to the limit; then the best weights come back.",
        )
        return
    script, run = scripts[wrong], runs[wrong]
    summary, advice = restoring_mistake(scripts, runs, right)
    averages = (f"those that are not trained: after epoch {math.ceil(run.epoch_of_averages)}",) if run.averages_are_later else ()
    fail(
        f"train: {summary}",
        *described(script),
        f"epochs run: {run.epochs_run:g}",
        f"expected: the weights after epoch {script.best_of(round(run.epochs_run))}",
        f"received: the weights after epoch {abs(run.epoch_of_weights):.4g}",
        *averages,
        help=advice,
        # The lab's own network has no weights that are not trained: little is lost with these alone.
        earned=0.8 if all(map(has_best, scripts, runs)) else 0.0,
    )


@check(points=1, needs=("train_stops",))
def test_train_repeats(submission: Submission, rng: np.random.Generator) -> None:
    """A second training in the same program does not depend on the first."""
    # The first ends with a loss that the second never reaches, and the second has a rule of its own, so that whatever is kept shows.
    first = Script((1.4, 1.2, 0.8, 0.9, 0.95, 1.0), (1.3, 1.2, 1.1, 1.0, 0.9, 0.8), (0.125, 0.5, 1.0, 0.5, 0.25, 0.25))
    start = 2.0 + round(float(rng.uniform(0.0, 0.5)), 3)
    # By the rule (0.05, 3) it ends after epoch 6, best 3; by (0.01, 2) after 6, best 4; by (0.01, 3) after 9; by (0.05, 2) after 5.
    losses = tuple(start - step for step in (0.0, 0.2, 0.4, 0.42, 0.38, 0.39, 0.6, 0.59, 0.595))
    train_losses = tuple(1.7 - 0.1 * epoch for epoch in range(len(losses)))
    second = Script(losses, train_losses, (0.125, 0.25, 0.25, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25), 0.05, 3)
    train_alone(submission, first)
    after = Lesson(submission, second).train()
    if (after.epochs_run, round(after.epoch_of_weights, 2)) == (second.epochs_run, second.best_of(second.epochs_run)):
        return
    alone = train_alone(submission, second)
    if (after.epochs_run, round(after.epoch_of_weights, 2)) == (alone.epochs_run, round(alone.epoch_of_weights, 2)):
        return  # the same mistake both times: that is what train_stops and train_restores look at
    kept_rule = (round(after.epochs_run), round(after.epoch_of_weights)) == stop(second.losses, *first.rule)
    fail(
        "train: the second training of a program follows min_delta and patience of the first one"
        if kept_rule
        else "train: the second training of a program goes wrong: something is kept from the first one",
        *described(second),
        f"expected, as when it runs alone: {alone.epochs_run:g} epochs, weights of epoch {alone.epoch_of_weights:.4g}",
        f"received: {after.epochs_run:g} epochs, weights of epoch {after.epoch_of_weights:.4g}",
        help="Make a new callback inside train for each training: a callback object keeps its rule, best loss, count and weights.",
    )


@check(points=1)
def test_train_learns(submission: Submission, rng: np.random.Generator) -> None:
    """Training really trains, on all of its data: a small classifier learns to tell groups of points apart."""
    classes, features, tolerance = 4, 8, 0.15
    centres = rng.choice([-1.0, 1.0], (classes, features)) * rng.uniform(1.0, 2.0, (classes, features))
    centres[:, :classes] += 2.0 * np.eye(classes)

    def draw(count: int, last: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        labels = rng.permutation(np.arange(count) % classes)
        points = centres[labels] + rng.normal(0, 0.8, (count, features))
        return np.column_stack([points, np.zeros(count), np.full(count, last)]).astype(np.float32), labels.astype(np.int32)

    # The last feature is 0 but for validation: only who trains on it changes what the model makes of that feature. The one before is 0
    # everywhere: no training changes what the model makes of it.
    train_part, val_part, (images, labels) = draw(384), draw(96, 0.25), draw(400)
    kit = submission.tools.learnable_problem(*train_part, *val_part, classes)
    fresh = submission.tools.weights(kit["model"])
    history = submission.training.train(kit["model"], kit["train_data"], kit["val_data"], epochs=6)
    columns = columns_of(history)
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
    trained = submission.tools.weights(kit["model"])
    require(
        fresh[0].ndim == 2 and len(fresh[0]) >= 2 and [one.shape for one in fresh] == [one.shape for one in trained],
        "after train the model has weights of other shapes",
        f"before: {compare.show([one.shape for one in fresh])}",
        f"after: {compare.show([one.shape for one in trained])}",
        help="Train the model that is given as it is.",
    )
    require(
        np.array_equal(fresh[0][-2], trained[0][-2]),
        "train gives the model other weights before it trains it",
        "a feature that is 0 in all data has other weights after the training",
        help="The model is trained from the weights it has: do not draw, build or load others first.",
    )
    require(
        np.array_equal(fresh[0][-1], trained[0][-1]),
        "train trains on the validation data",
        "a feature that is 0 in all of train_data has other weights after the training",
        help="Train on train_data alone: what was trained on val_data says nothing about new pictures.",
    )
    best = max((value for value in columns["val_accuracy"]), default=0.0)
    require(
        abs(best - accuracy) <= tolerance,
        "the history's val_accuracy is not that of the model",
        f"accuracy of the trained model on new points of the same kind: {accuracy:.3f}",
        f"largest val_accuracy in the history: {best:.3f}",
    )
    require_all_batches(submission)


@check(points=3)
def test_sweep(submission: Submission, rng: np.random.Generator) -> None:
    """A sweep trains a fresh model for each setting, and evaluates the model that it trained."""
    limits = [int(value) for value in rng.permutation([2, 3, 5, 7])[:3]]
    batch_sizes = [int(value) for value in rng.permutation([3, 4, 6, 8])[:2]]
    events, settings = watched_sweep(submission, limits, batch_sizes, rng)
    expected = [(limit, size) for limit in limits for size in batch_sizes]
    check_trainings([event for event in events if event["event"] == "train"], expected)
    check_evaluations(events)
    check_settings(settings, events, expected)
    # Once more, smaller: nothing may be left of the first sweep.
    events, settings = watched_sweep(submission, limits[:1], batch_sizes, rng)
    require(
        len(settings) <= len(batch_sizes),
        "a second sweep returns more settings than it was asked for: something is kept from the first one",
        f"expected: {len(batch_sizes)}",
        f"received: {len(settings)}",
        help="Make the list inside the function.",
    )
    try:
        check_trainings([event for event in events if event["event"] == "train"], expected[: len(batch_sizes)])
        check_evaluations(events)
        check_settings(settings, events, expected[: len(batch_sizes)])
    except CheckFailed as error:
        advice = "Keep no models and no results outside of the function: each sweep begins anew."
        raise error.retold("in a second sweep, after a right first one: ", help=advice) from None


@check(points=1)
@examples(
    count=40,
    always=[{"accuracies": [value / 2 for value in losses], "tolerance": delta} for losses, delta, _ in _BATTERY],
    accuracies=st.lists(_SIXTYFOURTHS.map(lambda x: x / 2), min_size=1, max_size=12),
    tolerance=_DELTAS,
)
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


@lru_cache(maxsize=1)
def _new_pictures(seed: bytes) -> tuple[np.ndarray, np.ndarray, Seen | None]:
    images, labels = held_out(seed, HELD_OUT)
    return images, labels, shipped(images)


@check(points=3, wall_s=40.0, prepare=_new_pictures)
def test_accuracy(submission: Submission, results: Results, seed: bytes) -> None:
    """The trained weights recognise new pictures: Top-1 accuracy on images that nobody has seen."""
    weights = results.weights()
    main = results.read(Training).main
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
    images, labels, original = _new_pictures(seed)
    layers = by_layer(submission, model, weights)

    def on_our_side() -> dict[int, np.ndarray]:
        refuse_copies(layers, images, original)
        return own_probabilities(layers, images, seed)

    with ThreadPoolExecutor(1) as beside:  # what is worked out here takes no time of its own while the worker is asked
        ours = beside.submit(on_our_side)
        try:
            found = np.concatenate([classify(submission, model, images[start : start + CHUNK]) for start in range(0, HELD_OUT, CHUNK)])
        finally:
            probabilities = ours.result()  # a copy is told to be one, whatever is wrong with its labels
    require_own_labels(found, probabilities)
    accuracy = float((found == labels).mean())
    claimed = main.val_correct / main.val_total
    # Five standard errors of the difference, and 0.03 for what differs between two sets.
    spread = math.sqrt(max(claimed * (1 - claimed), 0.01) * (1 / main.val_total + 1 / HELD_OUT))
    sides = (
        f"accuracy on {HELD_OUT} new pictures: {accuracy:.3f}",
        f"in results/training.json: {main.val_correct}/{main.val_total} = {claimed:.3f}",
    )
    require(
        main.val_correct <= main.val_total and abs(claimed - accuracy) <= min(5 * spread + 0.03, FURTHEST),
        "the accuracy in results/training.json is not reproduced with these weights",
        *sides,
        help=unlike(results) or "The file and the weights must come from the same `lab measure`; images must be float32 in [0, 1] in both.",
    )
    share = min(1.0, max(0.0, (accuracy - LOW) / (FULL - LOW)))
    share = round(share * 30) / 30  # tenths of a point, so that a last bit cannot change the grade
    if share < 1:
        fail(
            "the trained network recognises too few new pictures for all points",
            *sides,
            f"no points up to {LOW:.3f}, all points from {FULL:.3f} (chance: {1 / CLASSES})",
            help=unlike(results) or short_plan(results) or "Look for what makes your training weak: decode_image, build_model, or train.",
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
        allowed = limit_changes(results.read(Training))
        if found.value not in allowed:
            supported(found, next(iter(allowed)), "results/training.json", help="Compare epochs_run of the same batch size in the sweep.")

    each(needed, larger_limit, lambda: check_training_file(results.read(Training)))
