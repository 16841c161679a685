import copy
import itertools
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

tf.config.threading.set_inter_op_parallelism_threads(2)


def train(
    model: keras.Model, train_data: Any, val_data: Any, *, epochs: int, min_delta: float = 1e-2, patience: int = 2
) -> dict[str, list[float]]:

    def copied():
        """Four ways to keep a model, in turn."""
        ways = itertools.cycle((clone, copy.deepcopy, saved, checkpoint))
        return lambda: next(ways)(model)

    def clone(model):
        other = keras.models.clone_model(model)
        other.set_weights(model.get_weights())
        return other

    def saved(model):
        with tempfile.TemporaryDirectory() as folder:
            model.save(f"{folder}/best.keras")
            return keras.models.load_model(f"{folder}/best.keras")

    def checkpoint(model):
        folder = tempfile.mkdtemp()
        return Path(tf.train.Checkpoint(model=model).write(f"{folder}/best"))

    keep, best = copied(), None
    history = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}
    for _ in range(epochs):
        for name, values in model.fit(train_data, validation_data=val_data, epochs=1, verbose=0).history.items():
            history[name] += map(float, values)
        stop = early_stopping(history["val_loss"], min_delta, patience)
        if stop.best_epoch == len(history["val_loss"]):
            best = keep()
        if len(history["val_loss"]) - stop.best_epoch >= patience:
            break
    if isinstance(best, Path):
        tf.train.Checkpoint(model=model).read(str(best))
        shutil.rmtree(best.parent)
    else:
        model.set_weights(best.get_weights())
    return history


def sweep(
    make_model: Callable[[], keras.Model],
    make_data: Callable[[int], tuple[Any, Any]],
    train: Callable[..., dict[str, list[float]]],
    evaluate: Callable[[keras.Model, Any], float],
    *,
    epoch_limits: Sequence[int],
    batch_sizes: Sequence[int],
) -> list[Setting]:
    measured = {}
    for batch_size in batch_sizes:
        train_data, val_data = make_data(batch_size)
        for epoch_limit in reversed(epoch_limits):
            model = make_model()
            history = train(model, train_data, val_data, epochs=epoch_limit)
            accuracies = history["accuracy"][-1], evaluate(model, val_data)
            measured[epoch_limit, batch_size] = Setting(batch_size, epoch_limit, len(history["loss"]), *accuracies)
    return [measured[pair] for pair in itertools.product(epoch_limits, batch_sizes)]
