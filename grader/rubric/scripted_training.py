"""Trainings that follow a script: what became of them, and whether that is right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from grader.checks import compare
from grader.checks.compare import Mistake, fail, require
from grader.host.submission import Submission
from grader.rubric.stopping_rules import Script

STEPS: Final = 2
"""Training batches an epoch of a scripted training."""

VAL_STEPS: Final = 4
"""Batches of its validation data."""

HISTORY: Final = ("loss", "accuracy", "val_loss", "val_accuracy")


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one scripted training: by the counters of the model, and by what `train` returned."""

    epochs_run: float
    epoch_of_weights: float
    own_optimizer: bool
    learning_rate: float
    history: Any


class Lesson:
    """One scripted model in the worker, with its data. It learns an epoch's numbers from here, once it was trained that far.

    What is asked is kept: who wants to know how the tenth epoch ends has run ten epochs.

    Args:
        submission: The submission.
        script: What the model follows first.
    """

    def __init__(self, submission: Submission, script: Script) -> None:
        self._submission = submission
        self._script = script
        self._epochs_run = 0.0
        self._kit = submission.tools.scripted_training(self._reached, script.train_losses, STEPS)

    def train(self, script: Script | None = None) -> Run:
        """Calls the student's `train` once.

        Args:
            script: What the model, back at its start, follows now; the first script if None.

        Returns:
            What became of it.
        """
        if script is not None:
            self._script, self._epochs_run = script, 0.0
            self._submission.tools.new_script(self._kit["model"], script.train_losses)
        given = {"min_delta": self._script.min_delta, "patience": self._script.patience}
        options = {name: value for name, value in given.items() if value is not None}
        model, limit = self._kit["model"], len(self._script.losses)
        history = self._submission.training.train(model, self._kit["train_data"], self._kit["val_data"], epochs=limit, **options)
        state = self._submission.tools.training_state(model)
        self._come_to(float(state["epochs_run"]))
        weights, rate = float(state["epoch_of_weights"]), float(state["learning_rate"])
        return Run(self._epochs_run, weights, bool(state["own_optimizer"]), rate, history)

    def _come_to(self, epochs_run: float) -> None:
        require(epochs_run >= self._epochs_run, "train takes steps back that the optimizer has made")
        self._epochs_run = epochs_run

    def _reached(self, epochs_run: Any, epoch: Any) -> list[float]:
        told = [float(number) if isinstance(number, int | float) else math.nan for number in (epochs_run, epoch)]
        require(all(map(math.isfinite, told)), "train evaluates the model in a way that it is not made for", f"epoch: {compare.show(told)}")
        self._come_to(told[0])
        # No weights are ahead of the steps that were made. What comes before the first epoch is as after it.
        place = round(min(max(min(told), 1.0), len(self._script.losses))) - 1
        return [self._script.losses[place], self._script.accuracies[place]]


def train_all(submission: Submission, scripts: Sequence[Script]) -> list[Run]:
    """Trains one model by each script in turn; it is taken back to its start in between."""
    lesson = Lesson(submission, scripts[0])
    return [lesson.train(script) for script in scripts]


def train_alone(submission: Submission, script: Script) -> Run:
    """Trains in a new worker, so that nothing is left of earlier trainings.

    Args:
        submission: The submission.
        script: The script.

    Returns:
        What became of it.
    """
    submission.begin_again()
    return Lesson(submission, script).train()


def require_trained(run: Run) -> None:
    """Requires that the model that was given was trained, with its own optimizer, by whole passes over the data.

    Args:
        run: What became of the training.

    Raises:
        CheckFailed: It was not.
    """
    require(
        run.own_optimizer,
        "train compiles the model anew, or gives it another optimizer",
        help="The model comes compiled; train it with the optimizer and the loss it has.",
    )
    require(
        run.learning_rate == 1.0,
        "train changes the optimizer's learning rate",
        "expected: 1, as it was",
        f"received: {run.learning_rate:.4g}",
        help="No schedule, and no callback that lowers it: settings are compared with the same optimizer.",
    )
    curve = run.history.get("val_loss") if isinstance(run.history, dict) else None
    require(
        not (isinstance(curve, list | tuple) and curve and run.epochs_run * STEPS == VAL_STEPS * len(curve) and run.epoch_of_weights == 0),
        "train trains on val_data",
        f"batches in train_data: {STEPS}, in val_data: {VAL_STEPS}",
        f"steps of the optimizer an epoch: {VAL_STEPS}, and none of them on train_data",
        help="Train on train_data alone: what was trained on val_data says nothing about new pictures.",
    )
    require(run.epochs_run > 0, "train does not train the model: no step of its optimizer was made", help="Call model.fit.")
    require(
        abs(run.epochs_run - round(run.epochs_run)) < 1e-6,
        "an epoch of train is not one pass over train_data",
        f"batches in train_data: {STEPS}",
        f"steps of the optimizer in all: {run.epochs_run * STEPS:g}",
        help="Each epoch goes through every batch of train_data once.",
    )
    require(
        abs(run.epoch_of_weights - round(run.epoch_of_weights)) < 1e-3,
        "an epoch of train is not one pass over train_data: some of its examples are left out, or come twice",
        f"every example of train_data moves the model's weight; after whole epochs it has gone {STEPS} for each",
        f"received: {run.epoch_of_weights * STEPS:.4g}",
        help="Each epoch goes through every batch of train_data once, and through nothing else.",
    )


def require_within_limit(run: Run, script: Script) -> None:
    """Requires that no more steps were made than the epoch limit allows.

    Args:
        run: What became of the training.
        script: What it followed.

    Raises:
        CheckFailed: There were more; said apart where the history does not tell of them.
    """
    limit = len(script.losses)
    if run.epochs_run <= limit:
        return
    sides = (f"expected: at most {limit} epochs of {STEPS} batches", f"received: {run.epochs_run * STEPS:g} steps of the optimizer")
    curve = run.history.get("val_loss") if isinstance(run.history, dict) else None
    if isinstance(curve, list | tuple) and 0 < len(curve) < run.epochs_run:
        fail(
            "train makes more steps than its history tells of",
            *sides,
            f"epochs in the history: {len(curve)}",
            help="Train on train_data only, one pass an epoch: not on val_data, and not again at the end.",
        )
    fail("train goes on past the epoch limit", *sides, help="Pass epochs on to fit.")


def described(script: Script) -> tuple[str, ...]:
    """A script in words, for feedback.

    Args:
        script: The script.

    Returns:
        Lines with its losses and its rule.
    """
    min_delta, patience = script.rule
    losses = ", ".join(f"{loss:.4g}" for loss in script.losses)
    return (f"validation loss by epoch: {losses}", f"min_delta {min_delta:.4g}, patience {patience}, epoch limit {len(script.losses)}")


def columns_of(history: Any) -> dict[str, list[Any]]:
    """Requires that a history is a dict of the four curves.

    Args:
        history: What `train` returned.

    Returns:
        The curves by name; their numbers are not looked at.

    Raises:
        CheckFailed: It is not.
    """
    require(
        isinstance(history, dict),
        "train should return the history as a dict",
        f"expected: a dict with {', '.join(HISTORY)}",
        f"received: {compare.show(history)}",
        help="fit returns a History object; what is asked for is in its attribute history.",
    )
    missing = [name for name in HISTORY if name not in history]
    require(
        not missing,
        f"the history lacks {', '.join(missing)}",
        f"expected: {', '.join(HISTORY)}",
        f"received: {', '.join(str(name)[:40] for name in history)}",
        help="Pass validation_data to fit; the model comes with the metric accuracy.",
    )
    return {name: compare.sequence(history[name], f"history[{name!r}]") for name in HISTORY}


def check_history(run: Run, script: Script) -> None:
    """Requires one right number an epoch in each curve of the history.

    Args:
        run: What became of the training.
        script: What it followed.

    Raises:
        CheckFailed: A curve has another length or other numbers.
    """
    columns = columns_of(run.history)
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
                *([_on_train_data(script, epochs), _of_last_batch(script, epochs)] if name == "val_accuracy" else []),
                Mistake(np.asarray(script.train_losses[:epochs]), "history['val_loss'] holds the training loss", "Evaluate on val_data."),
                Mistake(np.asarray(script.losses[:epochs])[::-1], f"history[{name!r}] is in the wrong order"),
            ],
        )
    _check_training_loss(np.asarray([float(value) for value in columns["loss"]]), script)


def _check_training_loss(found: np.ndarray, script: Script) -> None:
    epochs = len(found)
    padded = [*script.train_losses, script.train_losses[-1]]
    # As fit gives it, or evaluated on train_data when the epoch is over.
    if any(np.allclose(found, padded[start : start + epochs], atol=2e-3) for start in (0, 1)):
        return
    compare.array(
        found,
        np.asarray(script.train_losses[:epochs]),
        "history['loss']",
        tolerance=2e-3,
        help="One number an epoch, the mean over the batches of train_data.",
        mistakes=[Mistake(np.asarray(script.losses[:epochs]), "history['loss'] holds the validation loss", "Take the one on train_data.")],
    )


def _on_train_data(script: Script, epochs: int) -> Mistake:
    # As the worker's tool makes it: example i of n counts as right where i / n is below the epoch's accuracy.
    count = 2 * STEPS
    right = [sum(place / count < accuracy for place in range(count)) / count for accuracy in script.accuracies[:epochs]]
    summary = "history['val_accuracy'] is measured on train_data: the two data sets are exchanged, or validation takes the wrong one"
    return Mistake(np.asarray(right), summary, "fit(train_data, validation_data=val_data).")


def _of_last_batch(script: Script, epochs: int) -> Mistake:
    # Eight examples in four batches: the last one holds the examples 6 and 7.
    right = [max(0.0, 4 * accuracy - 3) for accuracy in script.accuracies[:epochs]]
    summary = "history['val_accuracy'] is that of the last batch of val_data only"
    return Mistake(np.asarray(right), summary, "test_on_batch begins its metrics anew at each call: take the mean over all batches.")


def restoring(scripts: Sequence[Script]) -> list[Script]:
    """Chooses trainings that tell which weights are restored, and when.

    Args:
        scripts: Scripts to choose from.

    Returns:
        One that the rule ends, one that the limit ends after a best epoch that is not the last, and one with a smallest loss that did
        not count as improvement.
    """
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


def restoring_mistake(scripts: Sequence[Script], runs: Sequence[Run], right: Any) -> tuple[str, str]:
    """Names the mistake of a `train` that ends with other weights than those of the best epoch.

    Args:
        scripts: The trainings.
        runs: What became of them.
        right: Whether a script's run ended with the right weights.

    Returns:
        What is wrong, and advice.
    """
    pairs = list(zip(scripts, runs, strict=True))
    at_end = [abs(run.epoch_of_weights - run.epochs_run) < 0.01 for run in runs]
    by_limit = [run.epochs_run == len(script.losses) for script, run in pairs]
    good = [right(script, run) for script, run in pairs]
    keras = "With Keras: EarlyStopping(..., restore_best_weights=True). By hand: keep copies (model.get_weights()), not the variables."
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
