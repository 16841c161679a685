"""A sweep over settings that the grader watches: fresh models, the right data, and the numbers that it was given."""

from __future__ import annotations

import itertools
import math
from typing import Any, Final

import numpy as np

from grader.checks import compare
from grader.checks.compare import Mistake, fail, require
from grader.host.submission import Submission
from grader.lab import MIN_DELTA, PATIENCE
from grader.rubric.scripted_training import HISTORY

_TOLD: Final[dict[str, dict[str, type]]] = {
    "model": {"number": int},
    "data": {"batch_size": int},
    "train": {
        "epochs": int, "number": int, "batch_size": int, "fresh_weights": bool, "fresh_optimizer": bool, "data": str, "rule": dict,
    },
    "evaluate": {"number": int, "trainings": int, "data": str},
}  # fmt: skip
"""What each call tells."""

MOST_CALLS: Final = 200
"""Calls in a sweep: the reference makes 4 for each of 6 settings."""
LONGEST: Final = 40
"""Characters of a text that a call tells; `train,val` is one."""

_RULE: Final = {"min_delta": MIN_DELTA, "patience": PATIENCE}
"""The rule of early stopping that train has by default."""


def watched_sweep(
    submission: Submission, limits: list[int], sizes: list[int], rng: np.random.Generator
) -> tuple[list[dict[str, Any]], list[Any]]:
    """Calls the student's `sweep` with functions that tell what they are called with, and answer with numbers that all differ.

    Args:
        submission: The submission.
        limits: Epoch limits.
        sizes: Batch sizes.
        rng: Draws the answers.

    Returns:
        The calls in their order, and the settings that came back.
    """
    events: list[dict[str, Any]] = []
    # 10,007 is prime: the answers go through all its parts once before one comes again.
    draws = (float(number * 4_001 % 10_007) / 10_007 for number in itertools.count(int(rng.integers(1, 10_007))))

    def tell(event: Any) -> Any:
        kinds = _TOLD.get(str(event.get("event"))) if isinstance(event, dict) else None
        made = kinds is not None and all(isinstance(event.get(key), kind) for key, kind in kinds.items())
        require(made, "sweep calls the functions it is given in a way that they are not made for")
        require(len(events) < MOST_CALLS, "sweep makes too many calls")
        event = {"event": event["event"]} | {key: _small(event[key]) for key in kinds or ()}
        events.append(event)
        if event["event"] == "train":
            epochs = max(1, min(50, int(event["epochs"])))
            run = 1 + len(events) % epochs
            event["history"] = {name: [next(draws) for _ in range(run)] for name in HISTORY}
            return event["history"]
        if event["event"] == "evaluate":
            event["accuracy"] = next(draws)
            return event["accuracy"]
        return None

    kit = submission.tools.sweep_kit(tell)
    functions = [kit[name] for name in ("make_model", "make_data", "train", "evaluate")]
    found = submission.training.sweep(*functions, epoch_limits=limits, batch_sizes=sizes)
    return events, compare.sequence(found, "sweep's result")


def _small(value: Any) -> Any:
    # The process that tells it is the submission's: only what is looked at later is kept, and little of it.
    if isinstance(value, str):
        return value[:LONGEST]
    if isinstance(value, dict):
        passed = {name: value.get(name) for name in _RULE}
        return {name: number if number is None or isinstance(number, int | float) else math.nan for name, number in passed.items()}
    return value


def check_trainings(trainings: list[dict[str, Any]], expected: list[tuple[int, int]]) -> None:
    """Requires one training for each setting, in any order, of a fresh model with a fresh optimizer on the training data.

    Args:
        trainings: The calls of `train`.
        expected: Epoch limit and batch size of each setting.

    Raises:
        CheckFailed: One is missing, or is another.
    """
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
        require(
            event["data"] != "train,train",
            "sweep gives train the training data for validation too: early stopping then looks at images the model has learned from",
            "expected: train(model, train_data, val_data, epochs=limit)",
            help="make_data gives (train_data, val_data): pass both.",
        )
        require(
            event["data"] == "train,val",
            "sweep does not train on the whole of train_data, or not with the whole of val_data, but on a part or on more",
            "expected: train(model, train_data, val_data, epochs=limit)",
            help="Pass the two data sets as make_data gives them: validation images in the training data flatter every setting.",
        )
        passed = {name: event["rule"].get(name) for name in _RULE}
        changed = [name for name, value in passed.items() if value is not None and not _is(value, _RULE[name])]
        require(
            not changed,
            f"sweep changes how train stops early: it passes {', '.join(changed)}",
            "expected: train(model, train_data, val_data, epochs=limit)",
            help="The settings of a sweep differ in the epoch limit and the batch size only.",
        )
    if sorted(asked) == sorted(expected):
        return  # in which order they are trained is the student's matter; the order of the result is not
    wanted_sizes, wanted_limits = {size for _, size in expected}, {limit for limit, _ in expected}
    sides = (
        f"expected (epoch limit, batch size): {', '.join(map(str, expected))}",
        f"received: {', '.join(map(str, asked[:12]))}",
    )
    if len({size for _, size in asked}) == 1 < len(wanted_sizes):
        fail("sweep: every setting was trained with the same batch size", *sides, help="Call make_data(batch_size) for each batch size.")
    if len({limit for limit, _ in asked}) == 1 < len(wanted_limits):
        fail("sweep: every setting was trained with the same epoch limit", *sides, help="Pass the limit: train(..., epochs=epoch_limit).")
    if len(asked) != len(expected):
        fail("sweep does not train each setting once", *sides, help="Train one model for each pair of epoch limit and batch size.")
    fail("sweep trains other settings than it is asked for", *sides, help="Train one model for each pair of epoch limit and batch size.")


def _is(value: Any, number: float) -> bool:
    return isinstance(value, int | float) and value == number


def check_evaluations(events: list[dict[str, Any]]) -> None:
    """Requires that what is evaluated was trained, and not on the data it was trained on.

    Args:
        events: All calls.

    Raises:
        CheckFailed: An evaluation is of another model or of the training data.
    """
    trained: set[int] = set()
    whole = all(_evaluations(events))
    for event in events:
        if event["event"] == "train":
            trained.add(event["number"])
        elif event["event"] == "evaluate":
            if event["number"] not in trained or not event["trainings"]:
                if whole:
                    continue  # also before its training, say, to print what chance gives
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
            require(
                event["data"] == "val",
                "sweep evaluates on a part of val_data, or on other data",
                help="evaluate(model, val_data): all of it, so that settings are compared on the same images.",
            )


def check_settings(settings: list[Any], events: list[dict[str, Any]], expected: list[tuple[int, int]]) -> None:
    """Requires that each setting tells what its own training and evaluation gave.

    Args:
        settings: What `sweep` returned.
        events: All calls.
        expected: Epoch limit and batch size of each setting.

    Raises:
        CheckFailed: A number is another's, or wrong.
    """
    fields = ("batch_size", "epoch_limit", "epochs_run", "train_accuracy", "val_accuracy")
    require(
        len(settings) == len(expected),
        "sweep should return one setting for each pair of epoch limit and batch size",
        f"expected: {len(expected)}",
        f"received: {len(settings)}",
    )
    asked = [event for event in events if event["event"] == "train"]
    places = [next(place for place, event in enumerate(asked) if (event["epochs"], event["batch_size"]) == pair) for pair in expected]
    trainings = [asked[place] for place in places]
    given = _evaluations(events)
    evaluations = [given[place] for place in places]
    every = [accuracy for answers in evaluations for accuracy in answers]
    rows = [compare.record(found, fields, f"setting {number}", "Setting") for number, found in enumerate(settings, start=1)]
    whole = ("epoch_limit", "batch_size")
    told = [tuple(compare.integer(row[name], f"setting {number}'s {name}") for name in whole) for number, row in enumerate(rows, start=1)]
    if told != expected and set(told) == set(expected):
        fail(
            "sweep returns the settings in another order",
            f"expected (epoch limit, batch size): {', '.join(map(str, expected))}",
            f"received: {', '.join(map(str, told))}",
            help="Epoch limits are the outer loop, batch sizes the inner one.",
        )
    for number, (row, (limit, size), training) in enumerate(zip(rows, expected, trainings, strict=True)):
        what = f"setting {number + 1}"
        history = training["history"]
        swapped = Mistake(size, "epoch_limit and batch_size are exchanged in Setting", "Name the fields: Setting(batch_size=..., ...).")
        compare.equal(row["epoch_limit"], limit, f"{what}'s epoch_limit", mistakes=[swapped])
        compare.equal(row["batch_size"], size, f"{what}'s batch_size")
        compare.equal(
            compare.integer(row["epochs_run"], f"{what}'s epochs_run"),
            len(history["loss"]),
            f"{what}'s epochs_run",
            help='The number of epochs in the history that train returned: len(history["loss"]).',
            mistakes=[
                Mistake(
                    len(history),
                    "epochs_run counts the curves of the history, not the epochs",
                    'The history is a dict of curves: each has a number for each epoch, so take len(history["loss"]).',
                ),
                Mistake(
                    limit,
                    "epochs_run is the epoch limit, not the number of epochs that were run",
                    "Early stopping may end a training sooner: count the epochs in the history.",
                ),
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
