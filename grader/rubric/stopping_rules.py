"""The rules of the training section as the grader holds them, and the wrong ones that students write instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from grader.lab import MIN_DELTA, PATIENCE

Rule = Callable[[Sequence[float], float, int], tuple[int, int]]


def stop(losses: Sequence[float], min_delta: float, patience: int) -> tuple[int, int]:
    """Early stopping as docs/design.md defines it.

    Args:
        losses: Validation losses, at least one.
        min_delta: How much smaller than the best a loss must be.
        patience: Epochs in a row without an improvement after which training ends.

    Returns:
        Epochs run, and the last epoch that improved, both counted from 1.
    """
    best, best_epoch = losses[0], 1
    for epoch, loss in enumerate(losses, start=1):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            return epoch, best_epoch
    return len(losses), best_epoch


def reach(accuracies: Sequence[float], tolerance: float) -> int:
    """The first epoch, counted from 1, within the tolerance of the best accuracy.

    Args:
        accuracies: One an epoch.
        tolerance: How far below the best still counts.

    Returns:
        The epoch.
    """
    enough = max(accuracies) - tolerance
    return next(epoch for epoch, accuracy in enumerate(accuracies, start=1) if accuracy >= enough)


@dataclass(frozen=True, slots=True)
class WrongRule:
    """A rule that a student may have written.

    Attributes:
        gives: What it gives, from the same arguments as the right one.
        summary: The mistake by name.
        help: What to look at.
    """

    gives: Callable[..., Any]
    summary: str
    help: str


def explanation(rules: Sequence[WrongRule], cases: Sequence[tuple[Any, ...]], found: Sequence[Any]) -> WrongRule | None:
    """The first wrong rule that gives all that was found.

    Args:
        rules: Candidates, the most specific first.
        cases: Arguments of the rule, for each answer.
        found: The answers.

    Returns:
        The rule, or None where no one explains every answer.
    """
    return next((rule for rule in rules if all(rule.gives(*case) == answer for case, answer in zip(cases, found, strict=True))), None)


NOT_THE_FIRST: Final = WrongRule(
    lambda losses, *_: losses,
    "the best loss begins at a number of its own: a training whose losses are larger never improves",
    "The first epoch always improves: begin with val_losses[0], or with infinity.",
)
"""Depends on the number that was chosen, so no rule gives it."""


def _previous(losses: Sequence[float], min_delta: float, patience: int) -> tuple[int, int]:
    best_epoch = 1
    for epoch in range(2, len(losses) + 1):
        if losses[epoch - 1] < losses[epoch - 2] - min_delta:
            best_epoch = epoch
        if epoch - best_epoch >= patience:
            return epoch, best_epoch
    return len(losses), best_epoch


def _sliding(losses: Sequence[float], min_delta: float, patience: int) -> tuple[int, int]:
    best, best_epoch = losses[0], 1
    for epoch, loss in enumerate(losses, start=1):
        if loss < best - min_delta:
            best_epoch = epoch
        best = min(best, loss)
        if epoch - best_epoch >= patience:
            return epoch, best_epoch
    return len(losses), best_epoch


def _in_total(losses: Sequence[float], min_delta: float, patience: int) -> tuple[int, int]:
    best, best_epoch, without = losses[0], 1, 0
    for epoch, loss in enumerate(losses[1:], start=2):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        else:
            without += 1
        if without >= patience:
            return epoch, best_epoch
    return len(losses), best_epoch


def _border(losses: Sequence[float], min_delta: float, patience: int) -> tuple[int, int]:
    best, best_epoch = losses[0], 1
    for epoch, loss in enumerate(losses[1:], start=2):
        if loss <= best - min_delta:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            return epoch, best_epoch
    return len(losses), best_epoch


def _smallest(losses: Sequence[float], min_delta: float, patience: int) -> tuple[int, int]:
    run = stop(losses, min_delta, patience)[0]
    return run, int(np.argmin(losses[:run])) + 1


def _smallest_of_all(losses: Sequence[float], min_delta: float, patience: int) -> tuple[int, int]:
    return stop(losses, min_delta, patience)[0], int(np.argmin(losses)) + 1


def _late(losses: Sequence[float], min_delta: float, patience: int) -> tuple[int, int]:
    return stop(losses, min_delta, patience + 1)


def _early(losses: Sequence[float], min_delta: float, patience: int) -> tuple[int, int]:
    return stop(losses, min_delta, max(1, patience - 1))


def _relative(losses: Sequence[float], min_delta: float, patience: int) -> tuple[int, int]:
    best, best_epoch = losses[0], 1
    for epoch, loss in enumerate(losses[1:], start=2):
        if loss < best * (1 - min_delta):
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            return epoch, best_epoch
    return len(losses), best_epoch


def _counted_from(first: int, rule: Rule = stop) -> Rule:
    def gives(losses: Sequence[float], min_delta: float, patience: int) -> tuple[int, int]:
        run, best = rule(losses, min_delta, patience)
        return run + first - 1, best + first - 1

    return gives


def _best_from_zero(losses: Sequence[float], min_delta: float, patience: int) -> tuple[int, int]:
    run, best = stop(losses, min_delta, patience)
    return run, best - 1


_FROM_ONE: Final = "The first epoch is epoch 1: use enumerate(val_losses, start=1), or add 1 to an index."
_BEST: Final = "Keep the loss of the last epoch that improved, and compare each new loss with that."

WRONG_STOPS: Final = (
    WrongRule(_best_from_zero, "best_epoch is counted from 0", _FROM_ONE),
    WrongRule(_counted_from(0), "epochs_run and best_epoch are counted from 0", _FROM_ONE),
    WrongRule(
        _late, "patience is off by one: training goes on one epoch too long", "It ends after the patience-th epoch without improvement."
    ),
    WrongRule(
        _early, "patience is off by one: training ends one epoch too early", "It ends after the patience-th epoch without improvement."
    ),
    WrongRule(_previous, "each loss is compared with the epoch before, not with the best so far", _BEST),
    WrongRule(
        lambda losses, _, patience: stop(losses, 0.0, patience), "min_delta is ignored", "A loss improves when it is < best - min_delta."
    ),
    WrongRule(
        lambda losses, min_delta, patience: stop(losses, -min_delta, patience),
        "min_delta has the wrong sign: a loss that is a little worse counts as better",
        "A loss improves when it is < best - min_delta.",
    ),
    WrongRule(
        _border,
        "a loss of exactly best - min_delta counts as better",
        "A loss improves when it is smaller than best - min_delta: <, not <=.",
    ),
    WrongRule(_sliding, "the best loss moves although the epoch did not improve", _BEST),
    WrongRule(_smallest, "best_epoch is the epoch with the smallest loss, not the last one that improved", _BEST),
    WrongRule(
        _smallest_of_all,
        "best_epoch is the epoch with the smallest loss of the whole list: it may be one that training never comes to",
        "Of the epochs that are run, it is the last whose loss was < best - min_delta.",
    ),
    WrongRule(
        _in_total,
        "epochs without improvement are counted in total, not in a row",
        "Set the count back to 0 when an epoch improves.",
    ),
    WrongRule(
        lambda losses, min_delta, patience: (len(losses), stop(losses, min_delta, len(losses) + 1)[1]),
        "patience is ignored: training never ends before the list does",
        "Return as soon as `patience` epochs in a row have not improved.",
    ),
    WrongRule(
        _relative, "min_delta is taken as a part of the best loss", "It is a difference: best - min_delta, not best * (1 - min_delta)."
    ),
)
"""Each takes (losses, min_delta, patience) and gives (epochs_run, best_epoch)."""


def _first(accuracies: Sequence[float], good: Callable[[float], bool]) -> int:
    return next((epoch for epoch, accuracy in enumerate(accuracies, start=1) if good(accuracy)), len(accuracies))


WRONG_REACHES: Final = (
    WrongRule(lambda accuracies, tolerance: reach(accuracies, tolerance) - 1, "epochs are counted from 0", "The first epoch is epoch 1."),
    WrongRule(
        lambda accuracies, _: int(np.argmax(accuracies)) + 1,
        "this is the epoch with the best accuracy (argmax): the tolerance is ignored",
        "An earlier epoch may be good enough: look for the first whose accuracy is >= best - tolerance.",
    ),
    WrongRule(
        lambda accuracies, _: int(np.argmax(accuracies)),
        "this is np.argmax, counted from 0, and the tolerance is ignored",
        "The first epoch is epoch 1.",
    ),
    WrongRule(
        lambda accuracies, tolerance: _first(accuracies, lambda accuracy: accuracy > max(accuracies) - tolerance),
        "an accuracy of exactly best - tolerance should be good enough",
        "Compare with >=, not >.",
    ),
    WrongRule(
        lambda accuracies, tolerance: _first(accuracies, lambda accuracy: accuracy >= max(accuracies) * (1 - tolerance)),
        "the tolerance is taken as a part of the best accuracy",
        "Subtract it: best - tolerance.",
    ),
    WrongRule(
        lambda accuracies, tolerance: _first(accuracies, lambda accuracy: accuracy >= accuracies[-1] - tolerance),
        "the last accuracy is taken for the best",
        "The best is max(val_accuracies).",
    ),
    WrongRule(
        lambda accuracies, tolerance: max(e for e, a in enumerate(accuracies, start=1) if a >= max(accuracies) - tolerance),
        "this is the last epoch that is good enough, not the first",
        "Look for the smallest number of epochs.",
    ),
)
"""Each takes (accuracies, tolerance) and gives an epoch."""


@dataclass(frozen=True, slots=True)
class Script:
    """What a scripted training gives.

    Attributes:
        losses, train_losses, accuracies: Validation loss, training loss and validation accuracy of each epoch up to the limit.
        min_delta: As `train` is given it; None to leave the default.
        patience: As `train` is given it; None to leave the default.
    """

    losses: tuple[float, ...]
    train_losses: tuple[float, ...]
    accuracies: tuple[float, ...]
    min_delta: float | None = None
    patience: int | None = None

    @property
    def rule(self) -> tuple[float, int]:
        """min_delta and patience, with the defaults where they are left out."""
        return MIN_DELTA if self.min_delta is None else self.min_delta, PATIENCE if self.patience is None else self.patience

    @property
    def epochs_run(self) -> int:
        """Epochs that the definition runs."""
        return stop(self.losses, *self.rule)[0]

    @property
    def limited(self) -> bool:
        """Whether the limit ends it, and the rule has not been met by then."""
        return self.epochs_run == len(self.losses) and self.epochs_run - self.best_of(self.epochs_run) < self.rule[1]

    def best_of(self, epochs_run: int) -> int:
        """The last epoch that improved, of the first `epochs_run`."""
        losses = self.losses[:epochs_run] or self.losses[:1]
        return stop(losses, self.rule[0], len(losses) + 1)[1]


def _watching(column: str, sign: float = 1.0) -> Callable[[Script], int]:
    return lambda script: stop([sign * value for value in getattr(script, column)], *script.rule)[0]


def _begins_at_number(script: Script) -> int:
    return min(script.rule[1], len(script.losses)) if script.losses[0] > LARGE_LOSS else script.epochs_run


def _begins_late(skipped: int) -> WrongRule:
    def gives(script: Script) -> int:
        seen = script.losses[skipped:]
        return skipped + stop(seen, *script.rule)[0] if seen else len(script.losses)

    return WrongRule(
        gives,
        f"early stopping begins to watch only after epoch {skipped}",
        "The first epoch counts too: leave start_from_epoch at 0, and look at the loss of every epoch.",
    )


LARGE_LOSS: Final = 10.0
"""Every loss before `SMALL_FROM` of the long script is larger: a best loss that begins at this number or below is never undercut there."""

SMALL_FROM: Final = 3
"""Epochs of the long script with a loss above `LARGE_LOSS`; more than its patience."""


WRONG_TRAININGS: Final = (
    WrongRule(
        lambda script: len(script.losses),
        "early stopping never stops the training: every run went on to its epoch limit",
        "Is the EarlyStopping object passed to fit(..., callbacks=[...])? A callback that is built but never passed does nothing.",
    ),
    WrongRule(
        _watching("train_losses"), "early stopping watches the training loss", 'Watch the loss on the validation data: monitor="val_loss".'
    ),
    WrongRule(
        lambda script: stop((*script.train_losses[1:], script.train_losses[-1]), *script.rule)[0],
        "early stopping watches the training loss: that of the model on train_data, after each epoch",
        'Watch the loss on the validation data: monitor="val_loss".',
    ),
    WrongRule(
        _watching("accuracies"), "early stopping watches val_accuracy, in the wrong direction", 'Watch the loss: monitor="val_loss".'
    ),
    WrongRule(_watching("accuracies", -1.0), "early stopping watches val_accuracy", 'Watch the loss: monitor="val_loss".'),
    WrongRule(_watching("losses", -1.0), "early stopping takes a larger loss for better", 'The smaller loss is better: mode="min".'),
    WrongRule(
        lambda script: stop(script.losses, MIN_DELTA, PATIENCE)[0],
        "train ignores its arguments min_delta and patience",
        "Pass them on; 1e-2 and 2 are only the defaults.",
    ),
    WrongRule(lambda script: stop(script.losses, script.rule[0], PATIENCE)[0], "train ignores its argument patience", "Pass it on."),
    WrongRule(lambda script: stop(script.losses, MIN_DELTA, script.rule[1])[0], "train ignores its argument min_delta", "Pass it on."),
    WrongRule(
        lambda script: stop(script.losses, 0.0, script.rule[1])[0],
        "train ignores its argument min_delta: every smaller loss counts as an improvement",
        "Pass it on; EarlyStopping's own default is 0.",
    ),
    WrongRule(
        lambda script: stop(script.losses, script.min_delta or 0.0, script.rule[1])[0],
        "without min_delta, train takes every smaller loss as an improvement: its default is not 1e-2",
        "The signature says min_delta: float = 1e-2; that of Keras's EarlyStopping is 0, so it has to be passed on.",
    ),
    WrongRule(_begins_at_number, NOT_THE_FIRST.summary, "The first epoch always improves: begin with infinity."),
    *(
        WrongRule(lambda script, gives=rule.gives: gives(script.losses, *script.rule)[0], rule.summary, rule.help)
        for rule in WRONG_STOPS
        if "counted from" not in rule.summary and rule.gives not in (_border, _smallest, _smallest_of_all)  # these end where they should
    ),
    *map(_begins_late, range(1, 6)),
)
"""Each takes a script and gives the epochs run."""


def draw_scripts(rng: np.random.Generator, count: int) -> list[Script]:
    """Scripts of different kinds, with no loss near a border of the rule: losses cross float32 on their way.

    Args:
        rng: Random numbers.
        count: How many; the first leaves min_delta and patience to their defaults.

    Returns:
        The scripts; about half of them stop before their limit.
    """
    scripts: list[Script] = []
    while len(scripts) < count:
        number = len(scripts)
        min_delta, patience = (MIN_DELTA, PATIENCE) if number == 0 else (float(rng.uniform(0.03, 0.12)), (1, 3, 2, 3)[number % 4])
        losses = _walk(rng, min_delta, length=int(rng.integers(6, 10)))
        if not _clear(losses, min_delta):
            continue
        # Training goes on getting better for longer than validation, then hardly at all.
        flat = int(rng.integers(3, 6))
        train_losses = tuple(round(2.8 - 0.3 * min(epoch, flat) - 0.001 * epoch, 4) for epoch in range(len(losses)))
        accuracies = tuple(float(value) / 8 for value in rng.integers(0, 9, len(losses)))
        script = Script(losses, train_losses, accuracies) if number == 0 else Script(losses, train_losses, accuracies, min_delta, patience)
        # Every third is ended by its limit. One whose rule is met in the last epoch that is allowed would not tell one from the other.
        if script.limited if number % 3 == 2 else script.epochs_run < len(losses):
            scripts.append(script)
    return scripts


def telling_scripts(rng: np.random.Generator, count: int) -> list[Script]:
    """Scripts that tell each wrong training from the right one, whatever was drawn.

    Args:
        rng: Random numbers.
        count: How many, at least 4; the last is the long one.

    Returns:
        The scripts.
    """
    while True:
        scripts = [*draw_scripts(rng, count - 1), long_script(rng)]
        right = [script.epochs_run for script in scripts]
        if all([rule.gives(script) for script in scripts] != right for rule in WRONG_TRAININGS):
            return scripts


def long_script(rng: np.random.Generator) -> Script:
    """A training of many epochs, each better than the one before, that its limit ends. Its first losses are large.

    Args:
        rng: Random numbers.

    Returns:
        The script.
    """
    losses = [round(2.9 - 0.14 * epoch - float(rng.uniform(0.0, 0.02)), 4) for epoch in range(14)]
    accuracies = [float(value) / 8 for value in rng.integers(0, 9, len(losses))]
    train_losses = tuple(losses)
    # Nothing is recognised as long as the loss is large: a probability of 1/20000 is never the largest.
    losses[:SMALL_FROM] = [round(LARGE_LOSS + 0.2 * (SMALL_FROM - epoch) + float(rng.uniform(0.15, 0.2)), 4) for epoch in range(SMALL_FROM)]
    accuracies[:SMALL_FROM] = [0.0] * SMALL_FROM
    return Script(tuple(losses), train_losses, tuple(accuracies), 0.05, 2)


def _walk(rng: np.random.Generator, min_delta: float, length: int) -> tuple[float, ...]:
    # Steps from the best so far: well better, better by less than min_delta, or worse.
    losses = [float(rng.uniform(1.8, 2.2))]
    best = losses[0]
    while len(losses) < length:
        match int(rng.integers(0, 5)):
            case 0 | 1:
                loss = best - min_delta * float(rng.uniform(1.2, 2.0))
            case 2:
                loss = best - min_delta * float(rng.uniform(0.2, 0.8))
            case 3:
                loss = best + min_delta * float(rng.uniform(0.2, 0.8))
            case _:
                loss = best + min_delta * float(rng.uniform(1.2, 6.0))
        losses.append(round(loss, 4))
        best = loss if loss < best - min_delta else best
    return tuple(losses)


def _clear(losses: Sequence[float], min_delta: float) -> bool:
    pairs = [(a, b) for index, a in enumerate(losses) for b in losses[index + 1 :]]
    return min(losses) > 0.75 and all(abs(a - b - shift) > 1.2e-3 for a, b in pairs for shift in (-min_delta, 0.0, min_delta, MIN_DELTA))
