"""Builds and runs networks in the worker."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from grader.channel.peer import Refusal

LEARNING_RATE: Final = 5e-4
"""Of Adam. With its usual 1e-3, first weights of one seed died in the first epoch (every unit of conv6 at 0, the loss at ln 200), and early
stopping ended the training at chance. With this one the loss fell in the first epoch from each of eight seeds."""


def make_network(layers: list[dict[str, Any]], input_shape: list[int]) -> Any:
    """A Sequential model of a grader's own design, with fresh weights.

    Args:
        layers: One mapping a layer: `kind` (`Conv2D`, `MaxPooling2D`, `Flatten`, `Dense`, `Dropout`) and the arguments of its Keras class.
        input_shape: Shape of one input, without the batch.

    Returns:
        The built model.
    """
    import keras

    return keras.Sequential([keras.Input(tuple(input_shape)), *_made(layers)])


def make_functional(layers: list[dict[str, Any]], input_shape: list[int]) -> Any:
    """The same as `make_network`, as a functional model: its list of layers begins with the input.

    Args:
        layers: As for `make_network`.
        input_shape: As for `make_network`.

    Returns:
        The built model.
    """
    import keras

    inputs = value = keras.Input(tuple(input_shape), name="input")
    for layer in _made(layers):
        value = layer(value)
    return keras.Model(inputs, value)


def set_layer_weights(model: Any, weights: dict[str, list[np.ndarray]]) -> None:
    """Sets weights by the names of layers.

    Args:
        model: A Keras model of any style, subclassed too.
        weights: For each layer its kernel and bias.

    Raises:
        Refusal: The model has no such layer, or the layer has weights of other shapes.
    """
    by_name = _layers(model)
    for name, values in weights.items():
        layer = by_name.get(name)
        if layer is None:
            raise Refusal(
                kind="missing", message=f"the model has no layer named {name}; its layers are: {', '.join(by_name) or 'none'}", where=""
            )
        shapes = [tuple(array.shape) for array in layer.get_weights()]
        expected = [tuple(array.shape) for array in values]
        if shapes != expected:
            raise Refusal(kind="missing", message=f"layer {name} should have weights of the shapes {expected}, received {shapes}", where="")
        layer.set_weights(values)


def set_weights(model: Any, weights: list[np.ndarray]) -> None:
    """Sets all weights, in the model's own order.

    Args:
        model: A Keras model.
        weights: Arrays in the order of `model.get_weights()`.
    """
    model.set_weights(weights)


def weights(model: Any) -> list[np.ndarray]:
    """All weights in the model's own order.

    Args:
        model: A Keras model.

    Returns:
        `model.get_weights()`.
    """
    return [np.asarray(array) for array in model.get_weights()]


def layer_names(model: Any) -> list[str]:
    """Names of all layers, nested ones too, without inputs.

    Args:
        model: A Keras model.

    Returns:
        The names in the model's order.
    """
    return list(_layers(model))


def weight_shapes(model: Any) -> dict[str, list[list[int]]]:
    """Shapes of the weights of every layer, nested ones too, without inputs.

    Args:
        model: A built Keras model of any style.

    Returns:
        By the layer's name, in the model's order; an empty list for a layer without weights.
    """
    return {name: [list(array.shape) for array in layer.get_weights()] for name, layer in _layers(model).items()}


def layer_weights(model: Any) -> dict[str, list[np.ndarray]]:
    """Weights of every layer, nested ones too, without inputs.

    Args:
        model: A built Keras model of any style.

    Returns:
        By the layer's name, in the model's order; an empty list for a layer without weights.
    """
    return {name: [np.asarray(array) for array in layer.get_weights()] for name, layer in _layers(model).items()}


def input_shape(model: Any) -> list[int | None]:
    """The shape of one image that a model says it takes.

    Args:
        model: A Keras model.

    Returns:
        The lengths of the axes without the batch, None where one is open; empty where the model does not say, or has several inputs.
    """
    shape = getattr(model, "input_shape", None)
    return list(shape[1:]) if isinstance(shape, tuple) else []


def outputs(model: Any, images: np.ndarray) -> np.ndarray:
    """What a model gives for images, by calling it as inference does.

    Args:
        model: Any callable that takes a batch.
        images: (n, height, width, channels) float32.

    Returns:
        The output as an array.
    """
    return np.asarray(model(images, training=False))


def trainable(model: Any) -> list[int]:
    """How many of a model's weights training changes.

    Args:
        model: A built Keras model.

    Returns:
        The number of trainable weights (arrays), and of all.
    """
    return [len(model.trainable_weights), len(model.weights)]


def unreached(model: Any, images: np.ndarray) -> list[str]:
    """Layers that do not learn when a model is trained.

    Args:
        model: A built Keras model that gives probabilities.
        images: (n, ...) float32.

    Returns:
        The names of layers that have a kernel which no gradient reaches.
    """
    import tensorflow as tf

    with tf.GradientTape() as tape:
        output = model(tf.constant(images), training=True)
        loss = -tf.reduce_mean(tf.math.log(output[:, 0] + 1e-7))
    kernels = {str(name): weights[0] for name, layer in _layers(model).items() if (weights := layer.trainable_weights)}
    gradients = tape.gradient(loss, [getattr(kernel, "value", kernel) for kernel in kernels.values()])
    return [
        name
        for name, gradient in zip(kernels, gradients, strict=True)
        if gradient is None or not np.any(tf.convert_to_tensor(gradient).numpy())
    ]


def build(model: Any, input_shape: list[int]) -> None:
    """Runs one input of zeros through a model, so that a subclassed one has weights.

    Args:
        model: A Keras model.
        input_shape: Shape of one input, without the batch.

    Raises:
        Refusal: It is no model.
    """
    import keras

    if not isinstance(model, keras.Model):
        raise Refusal(kind="missing", message=f"expected a keras.Model, received an object of type {type(model).__name__}", where="")
    if not model.built or not model.weights:
        model(np.zeros((1, *input_shape), np.float32), training=False)


def compile_model(model: Any) -> Any:
    """Compiles a classifier the way the lab trains: Adam, cross-entropy on probabilities, accuracy.

    Args:
        model: A model that gives probabilities.

    Returns:
        The same model.
    """
    import keras

    model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def predictor(model: Any) -> Any:
    """A function that runs a model on a batch, compiled into one graph.

    Args:
        model: A Keras model.

    Returns:
        `predict(images)`: takes (batch, height, width, channels) float32, gives a tensor of probabilities.
    """
    import tensorflow as tf

    graph = tf.function(lambda images: model(images, training=False))
    return lambda images: graph(tf.convert_to_tensor(images, tf.float32))


def _made(layers: list[dict[str, Any]]) -> list[Any]:
    import keras

    return [getattr(keras.layers, layer["kind"])(**{key: value for key, value in layer.items() if key != "kind"}) for layer in layers]


def _layers(model: Any) -> dict[str, Any]:
    flat = model._flatten_layers(include_self=False) if hasattr(model, "_flatten_layers") else model.layers
    return {str(layer.name): layer for layer in flat if type(layer).__name__ != "InputLayer"}


PROVIDED: Final = (
    make_network,
    make_functional,
    set_layer_weights,
    set_weights,
    weights,
    layer_names,
    weight_shapes,
    layer_weights,
    input_shape,
    outputs,
    trainable,
    unreached,
    build,
    compile_model,
    predictor,
)
