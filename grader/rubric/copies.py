"""Whether weights are the package's own, or a copy that was changed to look like others: by what filters do, and by what they put out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from grader.artifacts import MissingResults, read_weights
from grader.checks import oracle
from grader.checks.compare import fail, require
from grader.dataset.weights import pretrained_weights
from grader.errors import DataError
from grader.rubric.own_training import in_order

COPY_FIRST: Final = 0.98
COPY_ALL: Final = 0.45
"""Mean correlation of what filters do, best partner each, from which weights count as the package's own: of the first layer, and the
median of all layers. Two trainings of one's own had 0.31 and 0.17; the first weights that the shipped ones were trained from have 0.89 and
0.26. Copies with noise, and with filters that never fire or that nothing reads in half of each layer, have an accuracy under 0.25 before
they pass."""

COPY_MAPS: Final = 0.9
"""Correlation of what filters put out, best partner each, the median of a layer's filters and then of the convolutions, from which a
network counts as the package's own. Five trainings of one's own had 0.45 to 0.75; a copy whose weights are hidden behind channels that are
constant has 1.00, whatever its weights look like."""

LARGE: Final = 1e30
"""An output of no trained network. Comparing squares outputs and adds them up, which float64 cannot hold from about 1e150 on."""

LOOKED_AT: Final = 4
"""Pictures on which it shows what a weight does."""


_NETWORK: Final = oracle.lab_network()
_CONVOLUTIONS: Final = [layer["name"] for layer in _NETWORK if layer["kind"] == "Conv2D"]
_WAYS: Final = [(quarters, mirrored) for quarters in range(4) for mirrored in (False, True)]
"""In which the set's pictures may lie and mean the same: quarter turns, and whether a picture is mirrored first, left to right."""


@dataclass(frozen=True, eq=False)
class Seen:
    """The lab's network with some weights, and what it puts out for some pictures.

    Attributes:
        weights: Its arrays by layer.
        images: (n, 64, 64, 3) float.
        outputs: Every layer's output by its name.
    """

    weights: oracle.Weights
    images: np.ndarray
    outputs: dict[str, np.ndarray]


def see(weights: oracle.Weights, images: np.ndarray) -> Seen:
    """Runs pictures through the lab's network.

    Args:
        weights: Its arrays by layer.
        images: (n, 64, 64, 3) float.

    Returns:
        What it puts out; with numbers that are not finite where the weights are so large.
    """
    with np.errstate(all="ignore"):
        return Seen(weights, images, oracle.run(_NETWORK, weights, images))


def shipped(images: np.ndarray) -> Seen | None:
    """The network that ships with the package.

    Args:
        images: (n, 64, 64, 3) uint8, of which it sees the first few.

    Returns:
        It and what it puts out for them; None where it was installed without: then there is nothing to copy.
    """
    try:
        weights = read_weights(pretrained_weights())
    except (DataError, MissingResults):
        return None
    return see(in_order(weights), images[:LOOKED_AT] / 255.0)


def refuse_copies(weights: oracle.Weights, images: np.ndarray, original: Seen | None) -> None:
    """Refuses the weights that ship with the package, also with other filter orders, scales, some noise, or parts that do nothing.

    Args:
        weights: The network's arrays by layer.
        images: (n, 64, 64, 3) uint8, on which it shows what a weight does.
        original: What `shipped` gives for the same images.

    Raises:
        CheckFailed: They are a copy, or put out what no training comes to.
    """
    ours = see(weights, images[:LOOKED_AT] / 255.0)
    with np.errstate(all="ignore"):
        modest = all(bool((np.abs(output) < LARGE).all()) for output in ours.outputs.values())
    require(
        modest,
        "the network with the weights in results/weights.safetensors puts out numbers that are not finite, or as good as",
        help="Such weights come from no training that went well: run `lab measure` again.",
    )
    if original is None:
        return
    found, maps = likeness(ours, original), same_maps(ours, original)
    if not (found[0] <= COPY_FIRST and float(np.median(found)) <= COPY_ALL and float(np.median(maps)) <= COPY_MAPS):
        fail(
            "results/weights.safetensors holds the weights that ship with the package, or a copy with changes that do nothing",
            "expected: weights from your own training",
            f"correlation with the shipped weights: {found[0]:.3f} in the first layer, {np.median(found):.3f} in the median of all",
            f"correlation with what the shipped convolutions put out: {np.median(maps):.3f}",
            help="`lab measure` trains with your train and writes the file.",
        )


def same_maps(ours: Seen, theirs: Seen) -> list[float]:
    """Compares the convolutions of two networks by what they put out, whatever their weights look like.

    A weight that reads a constant does nothing that the bias could not take back, and a filter may be twice there: so weights can be
    changed beyond recognition while each picture goes the same way. Here each of their filters that fires has the one of ours that does
    most the same. Pictures may lie in eight ways, see `likeness`; the first layer tells in which.

    Args:
        ours: One network.
        theirs: Another, that has seen the same pictures.

    Returns:
        For each convolution the median over their filters of the correlation with the best partner, 0 to 1.
    """

    def lying(pictures: np.ndarray, quarters: int, mirrored: bool) -> np.ndarray:
        return np.ascontiguousarray(np.rot90(pictures[:, :, ::-1] if mirrored else pictures, quarters, axes=(1, 2)))

    known = {name: _fluctuations(theirs.outputs[name]) for name in _CONVOLUTIONS}

    def same(name: str, output: np.ndarray, way: tuple[int, bool]) -> float:
        return _same(_fluctuations(output), lying(known[name], *way))

    def first(way: tuple[int, bool]) -> float:
        layer, name = _NETWORK[:1], _CONVOLUTIONS[0]
        output = ours.outputs if way == _WAYS[0] else oracle.run(layer, ours.weights, lying(ours.images, *way))
        return same(name, output[name], way)

    way = max(_WAYS, key=first)
    found = ours if way == _WAYS[0] else see(ours.weights, lying(ours.images, *way))
    return [same(name, found.outputs[name], way) for name in _CONVOLUTIONS]


def _fluctuations(maps: np.ndarray) -> np.ndarray:
    """What each channel is off its mean, of length 1 over all places; 0 for what hardly changes: a constant with rounding errors."""
    centred = maps - maps.mean(axis=tuple(range(maps.ndim - 1)))
    lengths = np.linalg.norm(centred.reshape(-1, maps.shape[-1]), axis=0)
    lengths[lengths <= 1e-6 * lengths.max()] = np.inf
    return np.asarray(centred / lengths)


def _same(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The median over their channels that change of the correlation with the most similar one of ours; of fluctuations."""
    fires = theirs.reshape(-1, theirs.shape[-1]).any(axis=0)
    if not fires.any():
        return 0.0
    products = theirs.reshape(-1, theirs.shape[-1]).T @ ours.reshape(-1, ours.shape[-1])
    return float(np.median(products[fires].max(axis=1)))


def likeness(ours: Seen, theirs: Seen) -> list[float]:
    """Compares the filters of each layer by what they do, whatever their order and size, and whichever way the pictures lie.

    A weight counts by the size of what it reads, and a filter by the size of what is read of it: so neither does a scale that the next
    layer undoes make a difference, nor a filter that never fires, or that nothing reads. The set's pictures mean the same mirrored or
    turned by quarters, so a network whose filters all are is as good as it was: the one of the eight counts that is most alike.

    Args:
        ours: One network.
        theirs: Another.

    Returns:
        For each layer the mean correlation of its filters, best partner each.
    """
    effects, others = _effects(ours), _effects(theirs)
    filters = {name: _filters(effect) for name, effect in effects.items()}
    weights = _read_by_the_next(effects)
    found = [_alike(filters, weights, turned(others, *way), ours.images.shape[-1]) for way in _WAYS]
    return max(found, key=lambda one: max(one[0] / COPY_FIRST, float(np.median(one)) / COPY_ALL))


def _alike(filters: dict[str, np.ndarray], weights: dict[str, np.ndarray], others: dict[str, np.ndarray], channels: int) -> list[float]:
    found: list[float] = []
    partner = np.arange(channels)
    for name, other in others.items():
        # The partners of the layer before are this layer's inputs; after the flattening each has several places.
        moved = other.reshape(-1, len(partner), other.shape[-1])[:, partner].reshape(other.shape)
        products = filters[name] @ _filters(moved).T
        partner = products.argmax(axis=1)
        found.append(float(np.average(products.max(axis=1), weights=weights[name])))
    return found


def _read_by_the_next(effects: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """For each layer the size of what the next one reads of each of its filters; of the last layer's, all the same."""
    found = {}
    for (name, effect), following in zip(effects.items(), [*list(effects.values())[1:], None], strict=True):
        size = effect.shape[-1]
        found[name] = (
            np.ones(size) if following is None else np.linalg.norm(following.reshape(-1, size, following.shape[-1]), axis=(0, 2))
        ) + 1e-12
    return found


def turned(kernels: dict[str, np.ndarray], quarters: int, mirrored: bool) -> dict[str, np.ndarray]:
    """The kernels of a network that sees a turned picture as the given one sees the picture.

    Args:
        kernels: The lab's network's kernels by layer, in order: (3, 3, in, out), and (in, out) behind the flattening.
        quarters: Quarter turns.
        mirrored: Whether the picture is mirrored first, left to right.

    Returns:
        Each kernel turned in its first two axes; that behind the flattening in the places of the flattened map.
    """
    found: dict[str, np.ndarray] = {}
    before = np.empty(0)
    for name, kernel in kernels.items():
        grid = kernel
        if kernel.ndim == 2 and before.ndim == 4:  # rows are (height, width, channel)
            side = math.isqrt(len(kernel) // before.shape[-1])
            grid = kernel.reshape(side, side, before.shape[-1], -1)
        if grid.ndim == 4:
            grid = np.rot90(grid[:, ::-1] if mirrored else grid, quarters, axes=(0, 1))
        found[name] = np.ascontiguousarray(grid).reshape(kernel.shape)
        before = kernel
    return found


def _effects(seen: Seen) -> dict[str, np.ndarray]:
    # Each kernel, every weight times the root mean square of what it reads.
    found, before = {}, seen.images
    for layer in _NETWORK:
        name = layer["name"]
        if name in seen.weights:
            axes = tuple(range(before.ndim - 1))
            found[name] = seen.weights[name][0].astype(np.float64) * np.sqrt(np.mean(before**2, axis=axes))[:, None]
        before = seen.outputs[name]
    return found


def _filters(kernel: np.ndarray) -> np.ndarray:
    rows = kernel.reshape(-1, kernel.shape[-1]).T.astype(np.float64)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
