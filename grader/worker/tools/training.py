"""Models and helpers whose training follows a script of the trusted side."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any, Final

import numpy as np

_OTHERS: Final = 32
"""Wrong classes of a scripted model: so many that a probability of 0.05 can still be the largest."""

_TRAIN: Final = 2.0
"""Examples to train on are from here on; those of validation lie from 0 to 1. What lies behind the point is an example's place."""

_LONGEST: Final = 32
"""Most epochs of a script."""


Reached = Callable[[float, float], Any]
"""On the trusted side: takes the epochs that were run and the epoch of the weights, and answers `[loss, accuracy]` of that epoch."""


class _Script:
    """What a scripted model follows. Models hold its number only: what Keras tracks, a checkpoint or a copy would take back or along.

    The script itself stays on the trusted side, which tells an epoch's numbers when training has come that far, and keeps what it was
    asked. So nothing in this process says what comes next.
    """

    def __init__(self, reached: Reached, train_losses: list[float], steps: int) -> None:
        import tensorflow as tf

        self.reached = reached
        self.steps = steps
        self.train_losses = tf.Variable(_padded(train_losses), trainable=False)
        self.counted = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.told: dict[tuple[int, float], np.ndarray] = {}
        self.turn = Lock()

    def restart(self, train_losses: list[float]) -> None:
        self.train_losses.assign(_padded(train_losses))
        self.counted.assign(0)
        self.told.clear()

    def ask(self, w: Any) -> np.ndarray:
        """Loss and accuracy, (2,) float32, with the weight w."""
        counted, weight = int(self.counted.numpy()), float(w)
        with self.turn:
            if (counted, weight) not in self.told:
                answer = self.reached(counted / self.steps, -weight / self.steps)
                self.told[counted, weight] = np.array(answer, np.float32)
            return self.told[counted, weight]


_scripts: Final[list[_Script]] = []
_layers: Final[dict[int, Any]] = {}
"""The layer that the model of a script was made with."""
_optimizers: Final[dict[int, Any]] = {}
"""The optimizer that the model of a script was made with."""


@cache
def _leave_xla_out() -> None:
    """Lets this worker run every graph without XLA, whose programs cannot call a Python function; the numbers are the same."""
    from tensorflow.python.eager.polymorphic_function import polymorphic_function

    # There is no public switch. Functions that a student has made already, at the head of a module, are meant too.
    polymorphic_function.Function._jit_compile = property(lambda _: False, lambda *_: None)


def _quiet() -> None:
    """Leaves out what Keras says to each `fit` on a dataset without `shuffle=False`: it is no mistake, and hides what matters."""
    warnings.filterwarnings("ignore", message=".*shuffle=True.* was passed")


@cache
def _kinds() -> tuple[type, type]:
    """The layer and the optimizer of scripted models, known to Keras by name: a student may save, clone and copy models."""
    import keras
    import tensorflow as tf

    @keras.saving.register_keras_serializable("lab")
    class Scripted(keras.layers.Layer):
        """One weight that is trained, one that calls in training move, and outputs by the script."""

        def __init__(self, script: int, **others: Any) -> None:
            super().__init__(**others)
            self.script = script

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "script": self.script}

        def build(self, _: Any) -> None:
            self.w = self.add_weight(shape=(), initializer="zeros", name="w")
            # As the moving averages of BatchNormalization: calls in training alone move it, and no gradient does.
            self.average = self.add_weight(shape=(), initializer="zeros", trainable=False, name="average")

        def call(self, x: Any, training: bool = False) -> Any:
            script = _scripts[self.script]
            w = tf.convert_to_tensor(self.w)
            epoch = tf.clip_by_value(tf.cast(tf.floor(1e-3 - w / script.steps), tf.int32), 0, _LONGEST - 1)
            to_train = x >= _TRAIN
            place = x - tf.floor(x)
            # The first half of the training examples is a little harder than the second: the last batch's loss is not that of all.
            loss = tf.gather(script.train_losses, epoch) + tf.where(place < 0.5, 0.05, -0.05)
            # Every other example of training is right, after each epoch and during it: one of two in each batch.
            is_right = tf.floor(place * 2 * script.steps + 1e-3) % 2 == 0
            if training:
                self.average.assign(tf.stop_gradient(w))
            else:
                told = tf.ensure_shape(tf.numpy_function(script.ask, [tf.stop_gradient(w)], tf.float32), (2,))
                # A quarter of validation is harder than the rest, another one after each epoch: usually a batch, 2 examples of 8.
                harder = tf.floor(place * 4) == tf.cast(epoch % 4, tf.float32)
                loss = tf.where(to_train, loss, told[0] + tf.where(harder, 0.15, -0.05))
                is_right = tf.where(to_train, is_right, place < told[1])
            # Each example of training pulls by another amount, 4 of 4 in all, and those of validation by none: so the weight tells
            # whether an epoch was one pass over all of train_data, and over nothing else.
            pull = tf.where(to_train, 0.5 + place + 0.25 * tf.floor(2 * place), 0.0)
            p = tf.exp(-loss - (w - tf.stop_gradient(w)) * pull)
            # The rest of the probability: all on one wrong class, which then is the largest, or spread thinly.
            spread = tf.fill((1, _OTHERS), 1.0 / _OTHERS)
            return tf.concat([p, (1.0 - p) * tf.where(is_right, spread, tf.one_hot([0], _OTHERS))], axis=-1)

        def compute_output_shape(self, shape: Any) -> Any:
            return (*shape[:-1], 1 + _OTHERS)

    @keras.saving.register_keras_serializable("lab")
    class Counted(keras.optimizers.SGD):
        """Plain gradient descent that counts its steps."""

        def __init__(self, learning_rate: Any = 1.0, script: int = 0, **others: Any) -> None:
            super().__init__(learning_rate, **others)
            self.script = script

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "script": self.script}

        def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
            grads = list(grads)
            # After the gradients: at the end of data whose length is not known `fit` begins a step that has no batch.
            with tf.control_dependencies([one for one in grads if one is not None]):
                _scripts[self.script].counted.assign_add(1)
            return super().apply(grads, trainable_variables)

    return Scripted, Counted


def scripted_training(reached: Reached, train_losses: list[float], steps: int, val_steps: int) -> dict[str, Any]:
    """A compiled model whose validation loss and accuracy after each epoch come from the trusted side, however it is trained.

    It has one weight, w, from 0. Over all of train_data its loss has the mean gradient 1 for w, so that plain gradient descent with
    learning rate 1 takes w down by 1 for each step of an epoch, and w tells how many epochs the weights have behind them: on val_data the
    numbers of that epoch come out, on train_data its training loss. Steps are also counted by the optimizer, outside of what the model
    holds, where restoring weights or a checkpoint does not reach. Whether the model is called with `training=True` or not makes no
    difference to its gradient, so that `fit`, `train_on_batch` and a hand-written loop are all the same to it. A second weight is not
    trained: each call with `training=True` sets it to what w is then. On train_data half of the examples are right, always.

    Args:
        reached: On the trusted side: takes the epochs that were run and the epoch of the weights, and answers that epoch's validation
            loss, 0.75 to 3, and validation accuracy, a multiple of 1/8; a loss up to 12 where the accuracy is 0.
        train_losses: Training loss of each epoch, 0.75 to 3, at most 32 of them. Past the last, the last one holds.
        steps: Training batches an epoch. Its gradient is as said where there are two; what steps are counted is right for any number.
        val_steps: Batches of validation, a multiple of 4.

    Returns:
        References to the `model`, its `train_data` and its `val_data`.
    """
    import keras
    import tensorflow as tf

    _leave_xla_out()
    _quiet()
    layer, counting = _kinds()
    number = len(_scripts)
    script = _Script(reached, train_losses, steps)
    _scripts.append(script)
    _layers[number] = layer(number, name="scripted")
    model = keras.Sequential([keras.Input((1,)), _layers[number]])
    _optimizers[number] = counting(1.0, number)
    model.compile(optimizer=_optimizers[number], loss="sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)

    def data(batches: int, start: float) -> Any:
        count = 2 * batches
        examples = (start + np.arange(count, dtype=np.float32)[:, None] / count, np.zeros((count,), np.int32))
        return tf.data.Dataset.from_tensor_slices(examples).batch(2)

    return {"model": model, "train_data": data(steps, _TRAIN), "val_data": data(val_steps, 0.0)}


def new_script(model: Any, train_losses: list[float]) -> None:
    """Takes a scripted model back to its start, for another script. This is faster than a new model: its graphs stay.

    Args:
        model: A model of `scripted_training`.
        train_losses: As there.
    """
    number = _number(model)
    _scripts[number].restart(train_losses)
    _optimizers[number].iterations.assign(0)
    _optimizers[number].learning_rate = 1.0
    model.set_weights([np.zeros((), np.float32)] * 2)


def _number(model: Any) -> int:
    return int(model.get_layer("scripted").script)


def _padded(column: list[float]) -> np.ndarray:
    return np.array([*column, *[column[-1]] * (_LONGEST - len(column))], np.float32)


def training_state(model: Any) -> dict[str, Any]:
    """How far a scripted model was trained, and what weights it has now.

    Args:
        model: A model of `scripted_training`.

    Returns:
        `epochs_run` by the counted steps, `epoch_of_weights` by its weight, `epoch_of_averages` by the weight that is not trained (0
        where the model was never called with `training=True`), whether it has its `own_optimizer` still, that one's `learning_rate`,
        which was 1, and its `own_steps`.
    """
    number = _number(model)
    script = _scripts[number]
    return {
        "epochs_run": float(script.counted.numpy()) / script.steps,
        "epoch_of_weights": -float(np.asarray(_layers[number].w)) / script.steps,
        "epoch_of_averages": -float(np.asarray(_layers[number].average)) / script.steps,
        "own_optimizer": model.optimizer is _optimizers[number],
        "learning_rate": float(np.asarray(_optimizers[number].learning_rate)),
        "own_steps": int(np.asarray(_optimizers[number].iterations)),
    }


def learnable_problem(
    images: np.ndarray, labels: np.ndarray, val_images: np.ndarray, val_labels: np.ndarray, classes: int
) -> dict[str, Any]:
    """A small dense classifier with data that it can learn within a second.

    Args:
        images: (n, features) float32.
        labels: (n,) integers.
        val_images: (m, features) float32.
        val_labels: (m,) integers.
        classes: Number of classes.

    Returns:
        References to the compiled `model`, its `train_data` and its `val_data`.
    """
    import keras
    import tensorflow as tf

    _quiet()
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((images.shape[1],)), keras.layers.Dense(32, activation="relu"), keras.layers.Dense(classes, activation="softmax")]
    )
    optimizer = keras.optimizers.Adam(1e-2)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)

    def data(x: np.ndarray, y: np.ndarray) -> Any:
        return tf.data.Dataset.from_tensor_slices((x, y)).batch(32)

    return {"model": model, "train_data": data(images, labels), "val_data": data(val_images, val_labels)}


_MARKS: Final = {"train": 1.0, "val": 2.0}
"""What the examples of a sweep's two data sets hold."""


def sweep_kit(tell: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """The four functions that a sweep is given: real small models, and a script of the trusted side for what training gives.

    Args:
        tell: On the trusted side: takes an event and answers it. Events: `{"event": "model", "number"}`, `{"event": "data",
            "batch_size"}`, `{"event": "train", "number", "fresh_weights", "fresh_optimizer", "batch_size", "data", "epochs", "rule"}`
            (answered with a history), `{"event": "evaluate", "number", "trainings", "data"}` (answered with an accuracy). A model that is
            not one of ours has the number 0; "data" says which data came, whole: "train", "val", both with a comma between, or "other";
            "rule" has the min_delta and patience that `train` was given, None where it was not.

    Returns:
        References to `make_model`, `make_data`, `train` and `evaluate`.
    """
    import keras
    import tensorflow as tf

    models: list[Any] = []
    initial = [np.full((2, 2), 0.25, np.float32), np.zeros((2,), np.float32)]

    def number_of(model: Any) -> int:
        return next((number for number, known in enumerate(models, start=1) if known is model), 0)

    def kept_by(optimizer: Any) -> list[Any]:
        # Its step count and its moments: all that a new one has at 0.
        return [value for value in optimizer.variables if "learning_rate" not in value.path]

    def kind_of(data: Any) -> str:
        # By what it holds, so that a data set that was prefetched or cached is known too.
        found = [np.asarray(batch[0])[:, 0] for batch in itertools.islice(data, 4)]
        values = np.concatenate(found).tolist() if found else []
        return next((kind for kind, mark in _MARKS.items() if found and values == [mark] * (2 * len(found[0]))), "other")

    def make_model() -> Any:
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="softmax")])
        model.compile(optimizer=keras.optimizers.Adam(), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        model.set_weights(initial)
        model.lab_trainings = 0
        models.append(model)
        tell({"event": "model", "number": len(models)})
        return model

    def make_data(batch_size: int) -> Any:
        tell({"event": "data", "batch_size": int(batch_size)})
        count = 2 * int(batch_size)

        def data(mark: float) -> Any:
            examples = (np.full((count, 2), mark, np.float32), np.zeros((count,), np.int32))
            return tf.data.Dataset.from_tensor_slices(examples).batch(int(batch_size))

        return tuple(data(mark) for mark in _MARKS.values())

    def train(
        model: Any, train_data: Any, val_data: Any, *, epochs: int, min_delta: Any = None, patience: Any = None, **_: Any
    ) -> dict[str, list[float]]:
        fresh_weights = all(np.array_equal(ours, theirs) for ours, theirs in zip(initial, model.get_weights(), strict=False))
        history: dict[str, list[float]] = tell(
            {
                "event": "train",
                "number": number_of(model),
                "fresh_weights": fresh_weights,
                "fresh_optimizer": not any(np.any(value.numpy()) for value in kept_by(model.optimizer)),
                "batch_size": int(np.shape(next(iter(train_data))[0])[0]),
                "data": f"{kind_of(train_data)},{kind_of(val_data)}",
                "epochs": int(epochs),
                "rule": {"min_delta": min_delta, "patience": patience},
            }
        )
        # Leave traces, as real training does: other weights and a used optimizer, with its moments.
        model.set_weights([array + 1.0 for array in model.get_weights()])
        model.optimizer.build(model.trainable_variables)
        for value in kept_by(model.optimizer):
            value.assign(value.value + 7)
        model.lab_trainings = getattr(model, "lab_trainings", 0) + 1
        return history

    def evaluate(model: Any, val_data: Any) -> float:
        trainings = int(getattr(model, "lab_trainings", 0))
        return float(tell({"event": "evaluate", "number": number_of(model), "trainings": trainings, "data": kind_of(val_data)}))

    return {"make_model": make_model, "make_data": make_data, "train": train, "evaluate": evaluate}


PROVIDED: Final = (scripted_training, new_script, training_state, learnable_problem, sweep_kit)
