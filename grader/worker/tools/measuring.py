"""What `lab measure` needs in the worker: images that stay there, data that is counted, and the functions that a sweep is given."""

from __future__ import annotations

import itertools
import os
import struct
import time
from typing import Any, Final

import numpy as np

from grader.worker.assignment import student_module
from grader.worker.live import Live
from grader.worker.tools.models import compile_model, outputs


def software() -> dict[str, Any]:
    """Versions and thread settings of what is measured with.

    Returns:
        `tensorflow`, `keras`, and `threads` with `intra` and `inter` (0: TensorFlow chooses).
    """
    import keras
    import tensorflow as tf

    threading = tf.config.threading
    threads = {"intra": threading.get_intra_op_parallelism_threads(), "inter": threading.get_inter_op_parallelism_threads()}
    return {"tensorflow": tf.__version__, "keras": keras.__version__, "threads": threads}


def peak_rate() -> float:
    """Measures how fast this machine multiplies: the calibration that a roofline and the rule about arithmetic need.

    Returns:
        Multiply-accumulates a second of the fastest of several products of 1024x1024 float32 matrices, with TensorFlow's threads.
    """
    import tensorflow as tf

    side = 1024
    matrix = tf.random.stateless_uniform((side, side), (1, 2))
    product = tf.function(lambda: tf.reduce_sum(tf.matmul(matrix, matrix)))
    product()
    fastest_s = float("inf")
    ends = time.perf_counter() + 1.0
    while time.perf_counter() < ends:
        start = time.perf_counter()
        np.asarray(product())
        fastest_s = min(fastest_s, time.perf_counter() - start)
    return float(side**3 / fastest_s)


def load_images(dataset: Any, count: int) -> Live:
    """Reads the first images of a data set into memory, where timing loops find them.

    Args:
        dataset: Batches of (images, labels).
        count: How many images.

    Returns:
        A reference to the array, (count, 64, 64, 3) float32; fewer where the data set has fewer.
    """
    parts: list[np.ndarray] = []
    for batch in iter(dataset):
        parts.append(np.asarray(batch[0]))
        if sum(len(part) for part in parts) >= count:
            break
    return Live(np.concatenate(parts)[:count])


def image_at(images: np.ndarray, index: int) -> Live:
    """One image of an array that stays in the worker.

    Args:
        images: (n, height, width, channels).
        index: Which one.

    Returns:
        A reference to it, (height, width, channels).
    """
    return Live(images[index])


def counted(dataset: Any, file: str) -> Any:
    """The same data set; the number of batches that were taken from it stands in a file, for a progress bar on the other side.

    Args:
        dataset: A `tf.data.Dataset` of (images, labels).
        file: Path of the file; eight bytes, little-endian.

    Returns:
        A data set of the same elements.
    """
    import tensorflow as tf

    if not isinstance(dataset, tf.data.Dataset):
        return dataset
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY, 0o600)
    numbers = itertools.count(1)

    def count() -> np.int64:
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, struct.pack("<q", next(numbers)))
        return np.int64(0)

    def pass_on(images: Any, labels: Any) -> Any:
        with tf.control_dependencies([tf.numpy_function(count, [], tf.int64)]):
            return tf.identity(images), tf.identity(labels)

    spec = dataset.element_spec
    passed = dataset.map(pass_on, num_parallel_calls=1, deterministic=True)
    return passed.map(lambda images, labels: (tf.ensure_shape(images, spec[0].shape), tf.ensure_shape(labels, spec[1].shape))).prefetch(2)


def fresh_model(classes: int, seed: int) -> Any:
    """The student's model with weights that a seed chose, compiled.

    Args:
        classes: Number of classes.
        seed: Seeds the weights, so that settings of a sweep start alike.

    Returns:
        The compiled model.
    """
    import keras

    keras.utils.set_random_seed(seed)
    model: Any = student_module("model").build_model(classes)
    if not model.built or not model.weights:
        model(np.zeros((1, 64, 64, 3), np.float32), training=False)
    return compile_model(model)


def sweep_functions(train_examples: list[Any], val_examples: list[Any], classes: int, seed: int, file: str) -> dict[str, Any]:
    """The four functions that a student's sweep is given: the student's own model, pipeline and training.

    Args:
        train_examples: Examples to train on.
        val_examples: Examples to validate on.
        classes: Number of classes.
        seed: Seeds weights and the order of the data, the same for each setting.
        file: Where batches are counted, see `counted`.

    Returns:
        References to `make_model`, `make_data`, `train`, `evaluate`, and to `seconds`, a list that grows by the time of each training.
    """
    data = student_module("data")
    training = student_module("training")
    seconds: list[float] = []

    def make_model() -> Any:
        return fresh_model(classes, seed)

    def make_data(batch_size: int) -> tuple[Any, Any]:
        train_data = data.make_dataset(train_examples, batch_size, shuffle=True, seed=seed)
        return counted(train_data, file), data.make_dataset(val_examples, batch_size, shuffle=False)

    def train(model: Any, train_data: Any, val_data: Any, **options: Any) -> Any:
        started = time.perf_counter()
        history = training.train(model, train_data, val_data, **options)
        seconds.append(time.perf_counter() - started)
        return history

    def evaluate(model: Any, val_data: Any) -> float:
        hits = [outputs(model, images).argmax(axis=1) == np.asarray(labels) for images, labels in val_data]
        return float(np.concatenate(hits).mean())

    return {"make_model": make_model, "make_data": make_data, "train": train, "evaluate": evaluate, "seconds": Live(seconds)}


PROVIDED: Final = (software, peak_rate, load_images, image_at, counted, fresh_model, sweep_functions)
