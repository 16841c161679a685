"""Section 5, training: how long to train, and how to compare settings fairly.

An epoch is one pass over the training data. After each, the loss on the validation data says whether the model still gets better on
images it has not learned from. Early stopping ends the training when it does not. Epochs are counted from 1.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras


class Stop(NamedTuple):
    """Where early stopping ended a training."""

    epochs_run: int
    """Number of epochs that were run."""
    best_epoch: int
    """The last epoch that improved, counted from 1."""


class Setting(NamedTuple):
    """One setting of a sweep and what came of it."""

    batch_size: int
    """Images a training step."""
    epoch_limit: int
    """Epochs allowed."""
    epochs_run: int
    """Epochs that were run; fewer than the limit when early stopping acted."""
    train_accuracy: float
    """Accuracy on the training data in the last epoch that was run."""
    val_accuracy: float
    """Accuracy of the trained model on the validation data."""


def early_stopping(val_losses: Sequence[float], min_delta: float, patience: int) -> Stop:
    """Apply the rule of early stopping to a list of validation losses.

    The first epoch always improves. A later epoch improves when its loss is smaller than (best loss - min_delta), where best loss is
    the loss of the last epoch that improved. When patience epochs in a row have not improved, training ends after the last of these.

    Args:
        val_losses: Validation loss of each epoch, at least one. The list ends where the epoch limit would end the training.
        min_delta: How much smaller the loss must be to count, 0 or more.
        patience: How many epochs in a row may pass without an improvement, at least 1.

    Returns:
        Epochs that would be run (at most len(val_losses)) and the last one of these that improved.
    """
    # >>> your code
    best_loss, best_epoch = val_losses[0], 1
    for epoch, loss in enumerate(val_losses, start=1):
        if loss < best_loss - min_delta:
            best_loss, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            return Stop(epochs_run=epoch, best_epoch=best_epoch)
    return Stop(epochs_run=len(val_losses), best_epoch=best_epoch)
    # <<< your code


def train(
    model: keras.Model, train_data: Any, val_data: Any, *, epochs: int, min_delta: float = 1e-2, patience: int = 2
) -> dict[str, list[float]]:
    """Train a model with early stopping on the validation loss.

    The rule is that of early_stopping. Afterwards the model has the weights of best_epoch, whether the rule or the epoch limit ended the
    training.

    Args:
        model: A compiled model with the metric "accuracy". It is trained in place, from the weights it has.
        train_data: Batches of (images, labels), such as make_dataset gives.
        val_data: The same, for validation.
        epochs: The epoch limit, at least 1.
        min_delta: See early_stopping.
        patience: See early_stopping.

    Returns:
        The history: "loss", "accuracy", "val_loss" and "val_accuracy", each a list with one Python float for each epoch that was run:
        means over the examples, as fit and evaluate give them. Those of training are taken during the epoch, as fit does, or after it.

    Not required: printing progress. The optimizer and its learning rate stay as they are: no schedule.
    """
    # >>> your code
    # A fresh callback each time: it carries the best weights and the count of epochs without improvement. Keras restores the best
    # weights at the end of every training, also when the limit ends it.
    stopper = keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=min_delta, patience=patience, restore_best_weights=True)
    # shuffle=False: a dataset shuffles itself, and fit cannot.
    fit = model.fit(train_data, validation_data=val_data, epochs=epochs, callbacks=[stopper], shuffle=False, verbose=0)
    history = fit.history
    return {name: [float(value) for value in history[name]] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
    # <<< your code


def sweep(
    make_model: Callable[[], keras.Model],
    make_data: Callable[[int], tuple[Any, Any]],
    train: Callable[..., dict[str, list[float]]],
    evaluate: Callable[[keras.Model, Any], float],
    *,
    epoch_limits: Sequence[int],
    batch_sizes: Sequence[int],
) -> list[Setting]:
    """Train one fresh model for each epoch limit and batch size.

    Settings can only be compared when they start alike: each has its own model from make_model, and the model that was trained is
    the model that is evaluated.

    Args:
        make_model: make_model() gives a compiled model with fresh weights.
        make_data: make_data(batch_size) gives (train_data, val_data).
        train: train(model, train_data, val_data, epochs=limit) trains in place and gives the history. Use this argument: it hides the
            function train of this module.
        evaluate: evaluate(model, val_data) gives an accuracy, 0 ... 1.
        epoch_limits: Epochs allowed.
        batch_sizes: Images a training step.

    Returns:
        One setting for each pair, epoch limits outside and batch sizes inside: (limit 1, batch 1), (limit 1, batch 2), ...
        epochs_run is the number of epochs in the history (each curve has one number an epoch); train_accuracy is the last "accuracy" in
        the history; val_accuracy is what evaluate gives.
    """
    # >>> your code
    settings = []
    for epoch_limit in epoch_limits:
        for batch_size in batch_sizes:
            model = make_model()  # a new one each time, else a setting would go on from the weights of the one before
            train_data, val_data = make_data(batch_size)
            history = train(model, train_data, val_data, epochs=epoch_limit)
            settings.append(
                Setting(
                    batch_size=batch_size,
                    epoch_limit=epoch_limit,
                    epochs_run=len(history["loss"]),
                    train_accuracy=history["accuracy"][-1],
                    val_accuracy=evaluate(model, val_data),
                )
            )
    return settings
    # <<< your code


def epochs_needed(val_accuracies: Sequence[float], tolerance: float) -> int:
    """Give the smallest number of epochs that is as good as the best, within a tolerance.

    Args:
        val_accuracies: Validation accuracy after each epoch, at least one.
        tolerance: How far below the best accuracy still counts as good, 0 or more.

    Returns:
        The first epoch, counted from 1, whose accuracy is >= (best accuracy - tolerance).
    """
    # >>> your code
    good_enough = max(val_accuracies) - tolerance
    return next(epoch for epoch, accuracy in enumerate(val_accuracies, start=1) if accuracy >= good_enough)
    # <<< your code
