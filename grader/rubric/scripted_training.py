"""Trainings that follow a script: what became of them, and whether that is right."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from grader.checks import compare
from grader.checks.compare import Mistake, fail, require
from grader.host.submission import Submission
from grader.lab import MIN_DELTA, PATIENCE
from grader.rubric.stopping_rules import LARGE_LOSS, Script, draw_scripts, stop

STEPS: Final = 2
"""Training batches an epoch of a scripted training."""

VAL_STEPS: Final = 4
"""Batches of its validation data."""

LONG: Final = 120
"""Batches of data that is longer than what is left in for a quick try, such as `take(100)`; a multiple of 4."""

PULL: Final = 1.125 - 1 / (4 * LONG)
"""What a step on such data moves the model's weight by, in the mean over all examples."""

TRAIN_ACCURACY: Final = 0.5
"""Accuracy on the training data of a scripted training: the same during an epoch and after it, in each batch and in all of them."""

HARDER: Final = 0.05
"""By so much the loss of the first half of the training examples is above the mean, and that of the second below."""

HISTORY: Final = ("loss", "accuracy", "val_loss", "val_accuracy")


_MOST_SEEN: Final = 100
"""Looks at validation data that are kept of a training."""


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one scripted training: by the counters of the model, and by what `train` returned.

    Attributes:
        epochs_run: By the steps that were made, of the model's optimizer or of a copy of it.
        epoch_of_weights: By the weight that is trained.
        epoch_of_averages: By the weight that calls with `training=True` move; 0 where there were none.
        own_optimizer: Whether the model has its optimizer still.
        own_steps: Steps of that optimizer.
        learning_rate: That optimizer's; it was 1.
        history: What `train` returned.
        seen: Epochs run and epoch of the weights at each look at validation data, in order.
    """

    epochs_run: float
    epoch_of_weights: float
    epoch_of_averages: float
    own_optimizer: bool
    own_steps: int
    learning_rate: float
    history: Any
    seen: tuple[tuple[float, float], ...] = ()

    @property
    def began_elsewhere(self) -> bool:
        """Whether the weights were others before the first step, and then moved as they should."""
        first = {run: epoch for run, epoch in reversed(self.seen) if run > 0}  # the first look after each epoch
        ahead = [epoch - run for run, epoch in first.items()]
        return len(ahead) > 1 and abs(ahead[0]) > 1e-3 and max(ahead) - min(ahead) < 1e-3

    @property
    def averages_are_later(self) -> bool:
        """Whether the weight that is not trained is of a later epoch than the one that is: no epoch's weights are like that."""
        # Within an epoch the weight that is trained goes on by less than 1; the first step alone is 5/16 of it.
        return self.epoch_of_averages > self.epoch_of_weights + 0.1

    @property
    def end(self) -> tuple[float, float, bool]:
        """Where it ended, as far as checks look at it: two trainings that went the same way have the same."""
        return (round(self.epochs_run, 3), round(self.epoch_of_weights, 2), self.averages_are_later)


class Lesson:
    """One scripted model in the worker, with its data. It learns an epoch's numbers from here, once it was trained that far.

    What is asked is kept: who wants to know how the tenth epoch ends has run ten epochs.

    Args:
        submission: The submission.
        script: What the model follows first.
        steps: Training batches an epoch.
        val_steps: Batches of its validation data.
    """

    def __init__(self, submission: Submission, script: Script, steps: int = STEPS, val_steps: int = VAL_STEPS) -> None:
        self._submission = submission
        self._script = script
        self._epochs_run = 0.0
        self._seen: list[tuple[float, float]] = []
        self._kit = submission.tools.scripted_training(self._reached, script.train_losses, steps, val_steps)

    def train(self, script: Script | None = None) -> Run:
        """Calls the student's `train` once.

        Args:
            script: What the model, back at its start, follows now; the first script if None.

        Returns:
            What became of it.
        """
        if script is not None:
            self._script, self._epochs_run = script, 0.0
            self._seen = []
            self._submission.tools.new_script(self._kit["model"], script.train_losses)
        given = {"min_delta": self._script.min_delta, "patience": self._script.patience}
        options = {name: value for name, value in given.items() if value is not None}
        model, limit = self._kit["model"], len(self._script.losses)
        history = self._submission.training.train(model, self._kit["train_data"], self._kit["val_data"], epochs=limit, **options)
        state = self._submission.tools.training_state(model)
        self._come_to(float(state["epochs_run"]))
        return Run(
            epochs_run=self._epochs_run,
            epoch_of_weights=float(state["epoch_of_weights"]),
            epoch_of_averages=float(state["epoch_of_averages"]),
            own_optimizer=bool(state["own_optimizer"]),
            own_steps=int(state["own_steps"]),
            learning_rate=float(state["learning_rate"]),
            history=history,
            seen=tuple(self._seen),
        )

    def _come_to(self, epochs_run: float) -> None:
        require(epochs_run >= self._epochs_run, "train takes steps back that the optimizer has made")
        self._epochs_run = epochs_run

    def _reached(self, epochs_run: Any, epoch: Any) -> list[float]:
        told = [float(number) if isinstance(number, int | float) else math.nan for number in (epochs_run, epoch)]
        require(all(map(math.isfinite, told)), "train evaluates the model in a way that it is not made for", f"epoch: {compare.show(told)}")
        self._come_to(told[0])
        if len(self._seen) < _MOST_SEEN:
            self._seen.append((told[0], told[1]))
        # No weights are ahead of the steps that were made. What comes before the first epoch is as after it.
        place = round(min(max(min(told), 1.0), len(self._script.losses))) - 1
        return [self._script.losses[place], self._script.accuracies[place]]


def train_all(submission: Submission, scripts: Sequence[Script]) -> list[Run]:
    """Trains one model by each script in turn; it is taken back to its start in between.

    Args:
        submission: The submission.
        scripts: The scripts.

    Returns:
        What became of each.

    Raises:
        CheckFailed: The first training left the model with another optimizer.
    """
    lesson = Lesson(submission, scripts[0])
    runs = []
    for script in scripts:
        runs.append(lesson.train(script))
        # Said at once: a model that is compiled anew in each epoch is so slow that the time would run out before all are trained.
        _require_own_optimizer(runs[0])
    return runs


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


def wrong_ones_alone(
    submission: Submission, scripts: Sequence[Script], runs: Sequence[Run], right: Callable[[Script, Run], bool]
) -> list[Run]:
    """Trains once more, each in a new worker, where it went wrong: what an earlier training left behind is another check's matter.

    A worker takes seconds. Where the first and the last of several end as before, nothing was left, and those between stand as they are.

    Args:
        submission: The submission.
        scripts: The scripts.
        runs: What became of each, one after the other in the same worker.
        right: Tells a right run.

    Returns:
        What became of each script.
    """
    wrong = [place for place, (script, run) in enumerate(zip(scripts, runs, strict=True)) if not right(script, run)]
    alone = {place: train_alone(submission, scripts[place]) for place in dict.fromkeys([*wrong[:1], *wrong[-1:]])}
    if any(run.end != runs[place].end for place, run in alone.items()):
        alone |= {place: train_alone(submission, scripts[place]) for place in wrong[1:-1]}
    return [alone.get(place, run) for place, run in enumerate(runs)]


def require_trained(run: Run) -> None:
    """Requires that the model that was given was trained, with its own optimizer, by whole passes over the data.

    Args:
        run: What became of the training.

    Raises:
        CheckFailed: It was not.
    """
    _require_own_optimizer(run)
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
    if run.began_elsewhere:
        first, epoch = next((run, epoch) for run, epoch in run.seen if run > 0)
        fail(
            "train gives the model other weights before it trains it",
            f"expected after epoch {first:g}: the weights that the model came with, moved by its steps",
            f"received: they are off by {abs(epoch - first) * STEPS:.4g}, and by as much after each epoch that follows",
            help="The model is trained from the weights it has: do not draw, build or load others first.",
        )
    require(
        abs(run.epoch_of_weights - round(run.epoch_of_weights)) < 1e-3,
        "an epoch of train is not one pass over train_data: some of its examples are left out, or come twice",
        f"every example of train_data moves the model's weight; after whole epochs it has gone {STEPS} for each",
        f"received: {run.epoch_of_weights * STEPS:.4g}",
        help="Each epoch goes through every batch of train_data once, and through nothing else.",
    )


def _require_own_optimizer(run: Run) -> None:
    require(
        run.own_optimizer,
        "train compiles the model anew, or gives it another optimizer",
        help="The model comes compiled; train it with the optimizer and the loss it has.",
    )


def require_all_batches(submission: Submission) -> None:
    """Requires that an epoch goes through all of long data, and not through the first batches alone.

    Args:
        submission: The submission.

    Raises:
        CheckFailed: It does not, in training or in validation.
    """
    script = Script((1.5,), (1.25,), (0.5,))
    run = Lesson(submission, script, LONG, LONG).train()
    steps = run.epochs_run * LONG
    # The second half of the examples pulls more than the first, so that by the pull of a step all of them were there.
    rest_is_left_out = steps < LONG and run.epoch_of_weights < 0.99 * PULL * run.epochs_run
    require(
        run.epochs_run > 0 and abs(run.epochs_run - round(run.epochs_run)) < 1e-6,
        "train goes through a part of train_data only" if rest_is_left_out else "an epoch of train is not one pass over train_data",
        f"batches in train_data: {LONG}, epoch limit 1",
        f"steps of the optimizer: {steps:g}",
        help="Each epoch goes through every batch of train_data once: no take, no steps_per_epoch, no batches of its own.",
    )
    if round(run.epochs_run) != 1:
        return  # past the limit, which train_stops looks at
    found = compare.sequence(columns_of(run.history)["val_loss"], "history['val_loss']")
    require(
        len(found) == 1 and abs(compare.number(found[0], "history['val_loss']") - script.losses[0]) < 2e-3,
        "train validates on a part of val_data only",
        f"batches in val_data: {LONG}, some of them harder than others; epoch limit 1",
        f"expected: val_loss [{script.losses[0]:.4g}], the mean over all of them",
        f"received: {compare.show(found)}",
        help="Each epoch ends with a pass over every batch of val_data: no take, no validation_steps.",
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
    """Requires a number an epoch in each curve of the history, and right ones in all but the loss.

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
    for name, numbers in (("val_loss", script.losses), ("val_accuracy", script.accuracies)):
        expected = np.asarray(numbers[:epochs])
        found = np.asarray([float(value) for value in columns[name]])
        # log(p + 1e-7), as some write it against p = 0, is off by some thousandths where the loss is above 10.
        near = (expected > LARGE_LOSS) & (np.abs(found - expected) < 0.1)
        compare.array(
            np.where(near, expected, found),
            expected,
            f"history[{name!r}]",
            tolerance=2e-3,
            help="One number an epoch, on all of val_data, with the weights after that epoch. test_on_batch tells of one batch only.",
            mistakes=[
                *([_on_train_data(epochs), _of_last_batch(script, epochs)] if name == "val_accuracy" else []),
                Mistake(np.asarray(script.train_losses[:epochs]), "history['val_loss'] holds the training loss", "Evaluate on val_data."),
                Mistake(np.asarray(script.losses[:epochs])[::-1], f"history[{name!r}] is in the wrong order"),
            ],
        )
    _check_training_accuracy(np.asarray([float(value) for value in columns["accuracy"]]), script)


def require_own_losses(run: Run, script: Script) -> None:
    """Requires that the validation losses of a history, as far as it goes, are those of the script: training cannot end right by others.

    Args:
        run: What became of the training.
        script: What it followed.

    Raises:
        CheckFailed: They are others.
    """
    curve = run.history.get("val_loss") if isinstance(run.history, dict) else None
    if not isinstance(curve, list | tuple) or not all(isinstance(loss, int | float) for loss in curve[: len(script.losses)]):
        return
    pairs = list(zip(curve, script.losses, strict=False))
    if any(abs(found - right) > (0.1 if right > LARGE_LOSS else 2e-3) for found, right in pairs):
        fail(
            "train: the validation loss that it goes by is not the mean over val_data",
            f"expected: {compare.show([round(right, 4) for _, right in pairs])}",
            f"received: {compare.show([round(float(found), 4) for found, _ in pairs])}",
            help="One number an epoch, on all of val_data, with the weights after that epoch. test_on_batch tells of one batch only.",
        )


def check_training_loss(run: Run, script: Script) -> None:
    """Requires the right losses of the training data. It may cost little, and comes last: it hides no other mistake.

    Args:
        run: What became of the training; `check_history` found nothing.
        script: What it followed.

    Raises:
        CheckFailed: They are others.
    """
    found = np.asarray([float(value) for value in columns_of(run.history)["loss"]])
    epochs = len(found)
    padded = [*script.train_losses, script.train_losses[-1]]
    # As fit gives it, or evaluated on train_data when the epoch is over.
    if any(np.allclose(found, padded[start : start + epochs], atol=2e-3) for start in (0, 1)):
        return
    for start in (0, 1):
        of_last = np.asarray(padded[start : start + epochs]) - HARDER
        if np.allclose(found, of_last, atol=2e-3):
            fail(
                "history['loss'] is that of the last batch of train_data only",
                f"expected: {compare.show((of_last + HARDER).round(4).tolist())}",
                f"received: {compare.show(found.round(4).tolist())}",
                help="train_on_batch tells of its own batch, or of those so far, by the version of Keras: take the mean over all examples.",
                earned=0.8,  # the curve is off by little, and nothing follows from it
            )
    compare.array(
        found,
        np.asarray(script.train_losses[:epochs]),
        "history['loss']",
        tolerance=2e-3,
        help="One number an epoch, the mean over the batches of train_data.",
        mistakes=[
            Mistake(np.asarray(script.losses[:epochs]), "history['loss'] holds the validation loss", "Take the one on train_data."),
        ],
    )


def _check_training_accuracy(found: np.ndarray, script: Script) -> None:
    epochs = len(found)
    right = np.full(epochs, TRAIN_ACCURACY)
    compare.array(
        found,
        right,
        "history['accuracy']",
        tolerance=2e-3,
        help="One number an epoch: how much of train_data the model gets right, a fraction from 0 to 1.",
        mistakes=[
            Mistake(100 * right, "history['accuracy'] is in percent", "An accuracy is a fraction from 0 to 1."),
            Mistake(
                np.asarray(script.accuracies[:epochs]),
                "history['accuracy'] holds the validation accuracy",
                "Take the one on train_data; that on val_data is val_accuracy.",
            ),
        ],
    )


def _on_train_data(epochs: int) -> Mistake:
    right = [TRAIN_ACCURACY] * epochs
    summary = "history['val_accuracy'] is measured on train_data: the two data sets are exchanged, or validation takes the wrong one"
    return Mistake(np.asarray(right), summary, "fit(train_data, validation_data=val_data).")


def _of_last_batch(script: Script, epochs: int) -> Mistake:
    # Eight examples in four batches: the last one holds the examples 6 and 7.
    right = [max(0.0, 4 * accuracy - 3) for accuracy in script.accuracies[:epochs]]
    summary = "history['val_accuracy'] is that of the last batch of val_data only"
    return Mistake(np.asarray(right), summary, "test_on_batch begins its metrics anew at each call: take the mean over all batches.")


def restoring(rng: np.random.Generator) -> list[Script]:
    """Draws trainings that tell which weights are restored, and when.

    Args:
        rng: Random numbers.

    Returns:
        One that the rule ends, one that the limit alone ends, after a best epoch that is not the last, and one with a smallest loss
        that did not count as improvement, and which min_delta's default would end elsewhere.
    """
    scripts: list[Script] = []
    while True:
        scripts += draw_scripts(rng, 30)[1:]
        small = {script for script in scripts if _smallest(script, script.epochs_run) != script.best_of(script.epochs_run)}
        others = [script for script in scripts if script not in small]
        stopped = next((script for script in others if script.epochs_run < len(script.losses)), None)
        limited = next((script for script in others if script.limited and script.best_of(len(script.losses)) < len(script.losses)), None)
        smaller = next((script for script in scripts if script in small and _own_end(script)), None)
        if stopped and limited and smaller:
            return [stopped, limited, smaller]


def _own_end(script: Script) -> bool:
    return all(stop(script.losses, MIN_DELTA, patience)[0] != script.epochs_run for patience in (PATIENCE, script.rule[1]))


def _smallest(script: Script, epochs_run: float) -> int:
    return int(np.argmin(script.losses[: max(1, round(epochs_run))])) + 1


def _by_default_rule(pairs: Sequence[tuple[Script, Run]]) -> bool:
    # Told from those who restore the smallest loss by where the trainings end.
    found = [(round(run.epochs_run), round(run.epoch_of_weights)) for _, run in pairs]
    by_defaults = [[stop(script.losses, MIN_DELTA, patience or script.rule[1]) for script, _ in pairs] for patience in (PATIENCE, None)]
    return found in by_defaults and any(run != script.epochs_run for (run, _), (script, _) in zip(found, pairs, strict=True))


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
    if all(abs(run.epoch_of_weights - script.best_of(round(run.epochs_run))) < 0.01 for script, run in pairs):
        return (
            "weights that are not trained are not restored: the moving averages of BatchNormalization would be those of the last epoch",
            ("Keep and restore all weights: model.get_weights() and model.weights have them, model.trainable_weights has not."),
        )
    if all(abs(run.epoch_of_weights) < 0.01 and not run.own_steps for run in runs):
        return "a copy of the model is trained: the model that it was given has the weights that it came with", (
            "Train the model in place, with its own optimizer: whoever calls train goes on with the model that they gave."
        )
    if all(at_end):
        return "the best weights are not restored: the model keeps those of the last epoch", keras
    if _by_default_rule(pairs):
        return "the weights are those of the best epoch by another rule: train ignores its argument min_delta, or both", (
            "Pass min_delta and patience on; 1e-2 and 2 are only the defaults."
        )
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
