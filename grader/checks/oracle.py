"""A convolutional network in NumPy: what a network of the lab's layers puts out, and what it costs, without TensorFlow.

A network is a list of layers, each a mapping of `kind` and the arguments of its Keras class, as `tools.make_network` takes it:

    {"kind": "Conv2D", "name": "conv1", "filters": 32, "kernel_size": (5, 5), "strides": (1, 1), "padding": "valid", "activation": "relu"}
    {"kind": "MaxPooling2D", "name": "pool1", "pool_size": (2, 2), "strides": (2, 2), "padding": "valid"}
    {"kind": "Flatten", "name": "flatten"}
    {"kind": "Dense", "name": "dense1", "units": 256, "activation": "relu"}

    {"kind": "Dropout", "name": "drop", "rate": 0.5}

A network runs here as inference does: dropout changes nothing. `AveragePooling2D` and the activations `sigmoid` and `relu6` are known too:
they are mistakes that can be made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

Layer = dict[str, Any]
Network = list[Layer]
Array = npt.NDArray[Any]
Weights = dict[str, list[Array]]

LAB_FILTERS: Final = ((32, 5), (32, 5), (64, 3), (64, 3), (64, 3), (128, 3))
"""Filters and kernel size of the lab's six convolutions; a pooling follows every second one."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one layer gives and costs, for one image."""

    name: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int
    bytes: int


def conv2d(name: str, filters: int, kernel: Sequence[int], strides: Sequence[int] = (1, 1), padding: str = "valid") -> Layer:
    """A convolution with ReLU.

    Args:
        name: The layer's name.
        filters: Number of output channels.
        kernel: Height and width of the kernel.
        strides: Steps down and across.
        padding: `valid` or `same`.

    Returns:
        The layer.
    """
    size, step = list(kernel), list(strides)
    return {
        "kind": "Conv2D",
        "name": name,
        "filters": filters,
        "kernel_size": size,
        "strides": step,
        "padding": padding,
        "activation": "relu",
    }


def pooling(name: str, size: Sequence[int] = (2, 2), strides: Sequence[int] = (2, 2), padding: str = "valid") -> Layer:
    """A max pooling.

    Args:
        name: The layer's name.
        size: Height and width of the window.
        strides: Steps down and across.
        padding: `valid` or `same`.

    Returns:
        The layer.
    """
    return {"kind": "MaxPooling2D", "name": name, "pool_size": list(size), "strides": list(strides), "padding": padding}


def dense(name: str, units: int, activation: str = "relu") -> Layer:
    """A dense layer.

    Args:
        name: The layer's name.
        units: Number of outputs.
        activation: `relu`, `softmax` or `linear`.

    Returns:
        The layer.
    """
    return {"kind": "Dense", "name": name, "units": units, "activation": activation}


def lab_network(classes: int = 200) -> Network:
    """The lab's network.

    Args:
        classes: Number of classes.

    Returns:
        Its layers.
    """
    network: Network = []
    for number, (filters, kernel) in enumerate(LAB_FILTERS, start=1):
        network.append(conv2d(f"conv{number}", filters, (kernel, kernel)))
        if number % 2 == 0:
            network.append(pooling(f"pool{number // 2}"))
    return [*network, {"kind": "Flatten", "name": "flatten"}, dense("dense1", 256), dense("dense2", classes, "softmax")]


def draw_network(
    rng: np.random.Generator,
    *,
    classes: int | None = None,
    channels: int | None = None,
    frozen: bool = False,
    dropout: bool = False,
) -> tuple[Network, tuple[int, int, int]]:
    """Draws a small network: convolutions and poolings of any stride and padding, then dense layers.

    Args:
        rng: Where the chance comes from.
        classes: Outputs of the last layer; drawn where it is None.
        channels: Of one input; drawn where it is None.
        frozen: Whether the first layer may be one that training leaves alone.
        dropout: Whether half of the input is dropped in training. No layer's output is then the same in training as in inference.

    Returns:
        The layers, with names that say nothing about their kind or place, and the shape of one input.
    """
    names = (f"layer_{number}" for number in rng.permutation(90) + 10)
    input_shape = (int(rng.integers(17, 30)), int(rng.integers(17, 30)), int(rng.choice([1, 3])) if channels is None else channels)
    network: Network = [{"kind": "Dropout", "name": next(names), "rate": 0.5}] if dropout else []
    for _ in range(int(rng.integers(2, 4))):
        kernel, strides = rng.integers(1, 5, 2).tolist(), rng.integers(1, 3, 2).tolist()
        padding = str(rng.choice(["valid", "same"]))
        network.append(conv2d(next(names), int(rng.integers(3, 9)), kernel, strides, padding))
        height, width, _ = shapes(network, input_shape)[-1]
        if min(height, width) >= 8:
            size, strides = rng.integers(2, 4, 2).tolist(), rng.integers(1, 4, 2).tolist()
            network.append(pooling(next(names), size, strides, str(rng.choice(["valid", "same"]))))
            height, width, _ = shapes(network, input_shape)[-1]
        if min(height, width) < 5:
            break
    if frozen:
        network[0]["trainable"] = bool(rng.integers(0, 2))
    network.append({"kind": "Flatten", "name": next(names)})
    network.append(dense(next(names), int(rng.integers(4, 12))))
    outputs = int(rng.integers(5, 12)) if classes is None else classes
    return [*network, dense(next(names), outputs, "softmax")], input_shape


def misplaced_names(network: Network) -> Network:
    """Names the layers of a drawn network as the lab's are named, but at other places than there.

    The convolutions are counted from the last one, and the flattened input of the hidden dense layer has a name that begins with that
    layer's: whoever looks up a place in the lab's network, or compares the beginnings of names, gets another layer.

    Args:
        network: As `draw_network` gives it.

    Returns:
        The same layers with the names `conv2`, `conv1`, `pool1`, `hidden_input`, `hidden`, `dense2`, and `drop` for a dropout.
    """
    convolutions = iter(range(sum(layer["kind"] == "Conv2D" for layer in network), 0, -1))
    poolings = iter(range(1, len(network)))
    names = []
    for layer in network:
        match layer["kind"]:
            case "Conv2D":
                names.append(f"conv{next(convolutions)}")
            case "MaxPooling2D":
                names.append(f"pool{next(poolings)}")
            case "Dropout":
                names.append("drop")
            case "Flatten":
                names.append("hidden_input")
            case _:
                names.append("hidden" if layer is not network[-1] else "dense2")
    return [{**layer, "name": name} for layer, name in zip(network, names, strict=True)]


def draw_weights(network: Network, input_shape: Sequence[int], rng: np.random.Generator) -> Weights:
    """Draws weights that keep activations near 1, and biases that are not 0.

    Args:
        network: The layers.
        input_shape: Shape of one input.
        rng: Where the chance comes from.

    Returns:
        For each layer with weights its kernel and bias, float32.
    """
    weights: Weights = {}
    for name, kernel in kernels(network, input_shape).items():
        if kernel:
            scale = math.sqrt(2.0 / math.prod(kernel[:-1]))
            weights[name] = [
                (rng.standard_normal(kernel) * scale).astype(np.float32),
                (rng.standard_normal(kernel[-1]) * 0.3).astype(np.float32),
            ]
    return weights


def enlarged(network: Network, weights: Weights, factor: float) -> Weights:
    """Weights with which all activations before the last layer are larger, and the output is the same.

    ReLU, pooling and dropout keep a factor: relu(16 x) = 16 relu(x). A power of two changes no digit of a float32 either.

    Args:
        network: The layers, with ReLU in all but the last.
        weights: As `draw_weights` gives them.
        factor: How much larger; a power of two.

    Returns:
        Other weights for the same layers.
    """
    first, last = next(iter(weights)), network[-1]["name"]
    changed = {name: [kernel, bias * np.float32(factor)] for name, (kernel, bias) in weights.items()}
    changed[first][0] = weights[first][0] * np.float32(factor)
    changed[last] = [weights[last][0] / np.float32(factor), weights[last][1]]
    return changed


def shapes(network: Network, input_shape: Sequence[int]) -> list[tuple[int, ...]]:
    """Output shapes of all layers, without the batch.

    Args:
        network: The layers.
        input_shape: Shape of one input.

    Returns:
        A shape a layer.
    """
    found: list[tuple[int, ...]] = []
    before = tuple(input_shape)
    for layer in network:
        match layer["kind"]:
            case "Conv2D":
                before = (*_places(layer, before, layer["kernel_size"]), layer["filters"])
            case "MaxPooling2D" | "AveragePooling2D":
                before = (*_places(layer, before, layer["pool_size"]), before[2])
            case "Flatten":
                before = (math.prod(before),)
            case "Dense":
                before = (*before[:-1], layer["units"])
        found.append(before)
    return found


def kernel_shape(layer: Layer, before: Sequence[int]) -> tuple[int, ...]:
    """Shape of a layer's kernel.

    Args:
        layer: The layer.
        before: Shape of its input.

    Returns:
        (height, width, inputs, filters) or (inputs, units); empty for a layer without weights.
    """
    if layer["kind"] == "Conv2D":
        return (*layer["kernel_size"], before[-1], layer["filters"])
    return (before[-1], layer["units"]) if layer["kind"] == "Dense" else ()


def kernels(network: Network, input_shape: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Shapes of the kernels of all layers.

    Args:
        network: The layers.
        input_shape: Shape of one input.

    Returns:
        As `kernel_shape` gives them, by the layer's name.
    """
    before = [tuple(input_shape), *shapes(network, input_shape)]
    return {layer["name"]: kernel_shape(layer, shape) for layer, shape in zip(network, before, strict=False)}


def costs(network: Network, input_shape: Sequence[int]) -> list[Cost]:
    """What each layer gives and costs for one image, in float32.

    Args:
        network: The layers.
        input_shape: Shape of one input.

    Returns:
        A row a layer.
    """
    rows = []
    sizes = kernels(network, input_shape)
    for layer, (name, kernel), after in zip(network, sizes.items(), shapes(network, input_shape), strict=True):
        parameters = math.prod(kernel) + (kernel[-1] if layer.get("use_bias", True) else 0) if kernel else 0
        macs = math.prod(kernel) * math.prod(after[:-1]) if kernel else 0
        rows.append(Cost(name, after, parameters, macs, 4 * math.prod(after)))
    return rows


def run(network: Network, weights: Weights, images: Array) -> dict[str, Array]:
    """Runs images through a network in float64.

    Args:
        network: The layers.
        weights: As `draw_weights` gives them.
        images: (n, height, width, channels).

    Returns:
        Every layer's output by its name, in order.
    """
    outputs: dict[str, Array] = {}
    value = images.astype(np.float64)
    for layer in network:
        match layer["kind"]:
            case "Conv2D":
                kernel, bias = (array.astype(np.float64) for array in weights[layer["name"]])
                # One image at a time, and channels last, which lie together: so what is multiplied stays in the processor's cache.
                windows = _windows(value, layer, layer["kernel_size"], 0.0).transpose(0, 1, 2, 4, 5, 3)
                value = _activated(np.stack([np.tensordot(one, kernel, axes=3) for one in windows]) + bias, layer)
            case "MaxPooling2D":
                windows = _windows(value, layer, layer["pool_size"], -np.inf)
                value = reduce(np.maximum, (windows[..., *place] for place in np.ndindex(windows.shape[4:])))
            case "AveragePooling2D":
                value = np.nanmean(_windows(value, layer, layer["pool_size"], np.nan), axis=(4, 5))
            case "Flatten":
                value = value.reshape(len(value), -1)
            case "Dropout":
                pass
            case "Dense":
                kernel, bias = (array.astype(np.float64) for array in weights[layer["name"]])
                value = _activated(value @ kernel + bias, layer)
        outputs[layer["name"]] = value
    return outputs


def _places(layer: Layer, before: Sequence[int], window: Sequence[int]) -> tuple[int, int]:
    height, width = (
        -(-size // stride) if layer["padding"] == "same" else (size - kernel) // stride + 1
        for size, kernel, stride in zip(before[:2], window, layer["strides"], strict=True)
    )
    return height, width


def _windows(value: Array, layer: Layer, window: Sequence[int], filling: float) -> Array:
    """The parts of the input that the window covers, (n, rows, columns, channels, height, width)."""
    if layer["padding"] == "same":
        pads = []
        for size, kernel, stride in zip(value.shape[1:3], window, layer["strides"], strict=True):
            over = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads.append((over // 2, over - over // 2))  # TensorFlow puts the odd one at the end
        value = np.pad(value, ((0, 0), *pads, (0, 0)), constant_values=filling)
    down, across = layer["strides"]
    windows: Array = sliding_window_view(value, tuple(window), axis=(1, 2))[:, ::down, ::across]
    return windows


def _activated(value: Array, layer: Layer) -> Array:
    match layer["activation"]:
        case "relu":
            return np.maximum(value, 0.0)
        case "relu6":
            return np.clip(value, 0.0, 6.0)
        case "softmax":
            powers = np.exp(value - value.max(axis=-1, keepdims=True))
            normal: Array = powers / powers.sum(axis=-1, keepdims=True)
            return normal
        case "sigmoid":
            squashed: Array = 1.0 / (1.0 + np.exp(-value))
            return squashed
    return value
