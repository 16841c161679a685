"""Section 2, model: a convolutional network, what it costs, and what it says.

| layer   | kind                       | output   |
|---------|----------------------------|----------|
| conv1   | convolution 5x5, 32, ReLU  | 60x60x32 |
| conv2   | convolution 5x5, 32, ReLU  | 56x56x32 |
| pool1   | max pooling 2x2            | 28x28x32 |
| conv3   | convolution 3x3, 64, ReLU  | 26x26x64 |
| conv4   | convolution 3x3, 64, ReLU  | 24x24x64 |
| pool2   | max pooling 2x2            | 12x12x64 |
| conv5   | convolution 3x3, 64, ReLU  | 10x10x64 |
| conv6   | convolution 3x3, 128, ReLU | 8x8x128  |
| pool3   | max pooling 2x2            | 4x4x128  |
| flatten | flatten                    | 2048     |
| dense1  | dense, ReLU                | 256      |
| dense2  | dense, softmax             | 200      |
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import layers


class LayerRow(NamedTuple):
    """What one layer gives and costs, for one image."""

    name: str
    """Name of the layer."""
    output_shape: tuple[int, ...]
    """Shape of the output, without the batch axis."""
    parameters: int
    """Number of weights and biases."""
    macs: int
    """Multiply-accumulates for one image."""
    bytes: int
    """Size of the output for one image as float32, in bytes."""


class Predictions(NamedTuple):
    """What a model says about each of n images."""

    labels: np.ndarray
    """(n,) integers: the most probable class."""
    confidences: np.ndarray
    """(n,) float32: the probability the model gives that class."""


def build_model(classes: int = 200) -> keras.Model:
    """Build the network of the table above, with fresh random weights: other ones at each call.

    Input is (batch, 64, 64, 3) float32 in [0, 1]. Convolutions use valid padding and stride 1; the poolings use 2x2 windows. The
    layers carry the names of the table: the profile is read by these names. With 200 classes it has 770,216 parameters.

    Args:
        classes: Number of classes, the width of dense2.

    Returns:
        A built model whose output is (batch, classes) float32: probabilities, so each row sums to 1.

    Not required: compiling it; that is left to whoever trains it.
    """
    # >>> your code
    return keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            layers.Conv2D(32, 5, activation="relu", name="conv1"),
            layers.Conv2D(32, 5, activation="relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Conv2D(64, 3, activation="relu", name="conv3"),
            layers.Conv2D(64, 3, activation="relu", name="conv4"),
            layers.MaxPooling2D(2, name="pool2"),
            layers.Conv2D(64, 3, activation="relu", name="conv5"),
            layers.Conv2D(128, 3, activation="relu", name="conv6"),
            layers.MaxPooling2D(2, name="pool3"),
            layers.Flatten(name="flatten"),
            layers.Dense(256, activation="relu", name="dense1"),
            layers.Dense(classes, activation="softmax", name="dense2"),
        ]
    )
    # <<< your code


def conv_output_size(size: int, kernel: int, stride: int = 1) -> int:
    """Give the height (or width) that a convolution with valid padding puts out.

    The kernel lies at 0, stride, 2 x stride, ... as long as it fits: floor((size - kernel) / stride) + 1 places.

    Args:
        size: Height or width of the input.
        kernel: Height or width of the kernel, at most size.
        stride: Step from one place to the next, at least 1.

    Returns:
        Number of places.
    """
    # >>> your code
    return (size - kernel) // stride + 1
    # <<< your code


def layer_table(model: keras.Model) -> list[LayerRow]:
    """Count what each layer costs for one image.

    One multiply-accumulate (MAC) is one weight times one input, added to a sum:

        convolution   output height x output width x filters x kernel height x kernel width x input channels
        dense         inputs x outputs
        others        0

    Biases are parameters but no MACs; a layer may have none (use_bias=False). With "same" padding the places
    where the kernel hangs over the edge count in full. The strides are already in the output's size.

    Args:
        model: A built model, Sequential or functional, of Conv2D, MaxPooling2D, Flatten and Dense layers.

    Returns:
        A row a layer in the model's order, without the input layer. All numbers are Python integers.

    Not required: other layers, grouped convolutions, channels before height and width.
    """
    # >>> your code
    rows = []
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer):  # a functional model lists its input as a layer
            continue
        shape = tuple(layer.output.shape[1:])
        macs = 0
        if isinstance(layer, layers.Conv2D | layers.Dense):
            # Every weight of the kernel is used once at every place of the output (a dense layer has one place).
            macs = math.prod(layer.kernel.shape) * math.prod(shape[:-1])
        rows.append(LayerRow(layer.name, shape, layer.count_params(), macs, math.prod(shape) * 4))
    return rows
    # <<< your code


def feature_maps(model: keras.Model, images: np.ndarray, layer_names: Sequence[str]) -> dict[str, np.ndarray]:
    """Run images through the model and keep what some layers put out.

    Layers are asked for by name: a layer's place in model.layers depends on how the model was built.

    Args:
        model: A built model, Sequential or functional.
        images: (n, height, width, 3) float32 in [0, 1]; a few images.
        layer_names: Names of the layers to look into, at least one.

    Returns:
        From each name to that layer's output, (n, *output shape of the layer) float32.

    Raises:
        ValueError: The model has no layer of that name.
    """
    # >>> your code
    outputs = {name: model.get_layer(name).output for name in layer_names}
    # A second model over the same layers and weights: nothing is copied, and one run gives every output.
    extractor = keras.Model(model.inputs[0], outputs)
    return {name: np.asarray(value) for name, value in extractor.predict(images, verbose=0).items()}
    # <<< your code


def predict_classes(model: keras.Model, images: np.ndarray) -> Predictions:
    """Classify images: the most probable class of each, and how sure the model is.

    Work batch by batch. The outputs of conv1 alone are 460,800 bytes an image, so thousands of images at once need gigabytes.

    Args:
        model: A built model that puts out (batch, classes) probabilities.
        images: (n, height, width, 3) float32 in [0, 1], n at least 1.

    Returns:
        labels (n,) integers and confidences (n,) float32, in the order of the images.
    """
    # >>> your code
    probabilities = model.predict(images, batch_size=64, verbose=0)
    return Predictions(labels=probabilities.argmax(axis=1), confidences=probabilities.max(axis=1))
    # <<< your code


def top_k_accuracy(probabilities: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Give the fraction of rows whose true class is among the k most probable classes of that row.

    Each row is one image and is looked at alone. It counts once or not at all, so the result lies in [0, 1]; a model that guesses gets
    k / classes.

    Args:
        probabilities: (n, classes) float, one row an image, n at least 1.
        labels: (n,) integers, the true classes.
        k: How many classes may be named, at least 1.

    Returns:
        (rows that contain their label) / n.

    Not required: a rule for equal probabilities; either order will do.
    """
    # >>> your code
    most_probable = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]  # (n, k), best first
    hits = (most_probable == labels[:, np.newaxis]).any(axis=1)  # (n,): one answer a row
    return float(hits.mean())
    # <<< your code
