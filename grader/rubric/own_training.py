"""The student's own training in results/: whose weights they are, what they say, and whether the file fits together."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from grader.artifacts import Machine, MissingResults, Results, Training, read_weights
from grader.checks import compare, oracle
from grader.checks.compare import fail, require
from grader.dataset.weights import pretrained_weights
from grader.errors import DataError
from grader.host.submission import Submission
from grader.lab import MIN_DELTA, PATIENCE, TRAINING_BATCH_SIZES
from grader.outcomes import CheckEnded
from grader.results import State
from grader.rubric.scripted_training import HISTORY
from grader.rubric.stopping_rules import stop

CHECKED: Final = 12
"""Pictures whose labels are worked out on this side too, from the weights."""
NEAR: Final = 1e-3
"""Relative difference of two probabilities below which either class may be the largest: float32 and the float64 oracle are 1e-5 apart."""

COPY_FIRST: Final = 0.98
COPY_ALL: Final = 0.82
"""Mean correlation of filters, best partner each, from which weights count as the package's own: of the first layer, and the median of all
layers. Trainings from other first weights stay far under both (untrained ones have 0.25 and 0.1); the shipped weights and their own first
ones have 0.93 and 0.72. A copy with so much noise that it passes (0.7 of each layer's deviation) has an accuracy of 0.1."""

BEST_OFF: Final = 0.02
"""How far the accuracy of the trained model may be from its best epoch's: a training of one's own may take the mean over batches."""

SWEEP_LIMITS: Final = 2


def classify(submission: Submission, model: Any, images: np.ndarray) -> np.ndarray:
    """Asks the student's `predict_classes`, or where it is not written the model itself, for the most probable classes.

    Args:
        submission: The submission.
        model: The model, with the trained weights.
        images: (n, 64, 64, 3) uint8.

    Returns:
        (n,) integers.

    Raises:
        CheckFailed: What comes back are no labels.
    """
    scaled = images.astype(np.float32) / np.float32(255)
    try:
        found = submission.model.predict_classes(model, scaled)
    except CheckEnded as ended:
        if ended.state is not State.NOT_STARTED:
            raise
        output = submission.tools.outputs(model, scaled)
        require(
            isinstance(output, np.ndarray) and output.ndim == 2 and len(output) == len(images),
            "the model gives no row of probabilities for each image",
            f"received: {compare.show(output)}",
        )
        return np.asarray(output.argmax(axis=1))
    labels = compare.record(found, ("labels", "confidences"), "predict_classes' result", "Predictions")["labels"]
    items = compare.sequence(labels, "predict_classes' labels", length=len(images))
    return np.array([compare.integer(item, "a label of predict_classes") for item in items], np.int64)


def require_own_labels(weights: list[np.ndarray], images: np.ndarray, found: np.ndarray, seed: bytes) -> None:
    """Requires that labels are those that the lab's network gives with these weights, and not another's.

    Args:
        weights: The network's arrays in Keras's order.
        images: (n, 64, 64, 3) uint8.
        found: (n,) the labels that the submission gave.
        seed: Draws the pictures that are looked at.

    Raises:
        CheckFailed: A label is another.
    """
    network = oracle.lab_network()
    layers = [layer for layer in network if layer["kind"] in ("Conv2D", "Dense")]
    if len(weights) != 2 * len(layers):
        return  # another network: that is what the section on the model looks at
    by_name = {layer["name"]: [weights[2 * place], weights[2 * place + 1]] for place, layer in enumerate(layers)}
    places = np.random.default_rng(list(seed)).choice(len(images), CHECKED, replace=False)
    for place in map(int, places):
        try:
            row = oracle.run(network, by_name, images[place : place + 1] / 255.0)["dense2"][0]
        except ValueError:
            return
        label = int(found[place])
        require(
            0 <= label < len(row) and row[label] >= row.max() * (1 - NEAR),
            "predict_classes does not give the labels of the network in results/weights.safetensors",
            f"picture {place}: expected label {int(row.argmax())}, received {label}",
            help="It should give the most probable class of the model that it is given.",
        )


def refuse_copies(weights: list[np.ndarray]) -> None:
    """Refuses the weights that ship with the package, also with other filter orders, scales or some noise.

    Args:
        weights: The network's arrays in Keras's order.

    Raises:
        CheckFailed: They are a copy.
    """
    try:
        shipped = read_weights(pretrained_weights())
    except (DataError, MissingResults):
        return  # installed without them: nothing to copy
    found = likeness(weights, shipped)
    if found and (found[0] > COPY_FIRST or float(np.median(found)) > COPY_ALL):
        fail(
            "results/weights.safetensors holds the weights that ship with the package, or a copy with small changes",
            "expected: weights from your own training",
            f"correlation with the shipped weights: {found[0]:.3f} in the first layer, {np.median(found):.3f} in the median of all",
            help="`lab measure` trains with your train and writes the file.",
        )


def likeness(ours: list[np.ndarray], theirs: list[np.ndarray]) -> list[float]:
    """Compares the filters of each layer, whatever their order and size.

    Args:
        ours: A network's arrays in Keras's order.
        theirs: Another's.

    Returns:
        For each layer the mean correlation of its filters, best partner each; nothing for networks of other shapes.
    """
    if [array.shape for array in ours] != [array.shape for array in theirs]:
        return []
    found: list[float] = []
    partner: np.ndarray | None = None
    scale = np.ones(1)
    for kernel, other in zip(ours, theirs, strict=True):
        if kernel.ndim < 2:
            continue
        if partner is not None:
            # A filter made s times as large, and what reads it s times as small, is the same network: that is undone first.
            kernel = kernel * np.tile(scale, kernel.shape[-2] // len(scale))[:, None]
            # The partners of the layer before are this layer's inputs; after the flattening each has several places.
            channels = len(partner)
            shape = (*other.shape[:-2], other.shape[-2] // channels, channels, other.shape[-1])
            other = other.reshape(shape)[..., partner, :].reshape(other.shape)
        products = _filters(kernel) @ _filters(other).T
        partner = products.argmax(axis=1)
        found.append(float(products.max(axis=1).mean()))
        scale = _sizes(kernel) / np.maximum(_sizes(other)[partner], 1e-12)
    return found


def _sizes(kernel: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(kernel.reshape(-1, kernel.shape[-1]).astype(np.float64), axis=0))


def _filters(kernel: np.ndarray) -> np.ndarray:
    rows = kernel.reshape(-1, kernel.shape[-1]).T.astype(np.float64)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def short_plan(results: Results) -> str:
    """Advice where the weights come from a plan that trains too briefly.

    Args:
        results: The student's results.

    Returns:
        One sentence; empty where that is not it.
    """
    try:
        plan = results.read(Machine).plan
    except MissingResults:
        return ""
    return (
        ""
        if plan == "standard"
        else f"These weights come from `lab measure --plan {plan[:20]}`, which trains too briefly: run `lab measure`."
    )


def unlike(results: Results) -> str:
    """Advice where the weights were trained on other pictures than those they are tried on.

    Args:
        results: The student's results.

    Returns:
        One sentence; empty where that is not it.
    """
    try:
        name = results.read(Machine).dataset.name
    except MissingResults:
        return ""
    if name.startswith("embedded"):
        return ""
    return f"The weights were trained on {name[:60]!r}; the new pictures are of the embedded set: run `lab measure` on that one."


def limit_changes(training: Training) -> set[bool]:
    """Answers that the sweep supports: either, where no run was ended by early stopping below a larger limit."""
    pairs = [
        (run, other)
        for run in training.sweep
        for other in training.sweep
        if run.batch_size == other.batch_size and run.epochs_run < run.epoch_limit < other.epoch_limit
    ]
    if not pairs:
        return {True, False}
    return {any(run.epochs_run != other.epochs_run for run, other in pairs)}


def check_training_file(training: Training) -> None:
    """Requires that results/training.json fits together: curves, limits, early stopping, and a whole sweep.

    Args:
        training: The file.

    Raises:
        CheckFailed: Something in it cannot have come from `lab measure`.
    """
    main = training.main
    lengths = {name: len(getattr(main.history, name)) for name in HISTORY}
    epochs = lengths["val_loss"]
    advice = "Run `lab measure` again, and leave the files in results/ as it writes them."
    require(
        len(set(lengths.values())) == 1,
        "results/training.json: the curves of the main run have different lengths",
        f"received: {lengths}",
        help=advice,
    )
    require(
        epochs <= main.epoch_limit,
        "results/training.json: the main run has more epochs than its limit",
        f"epoch_limit: {main.epoch_limit}",
        f"numbers in the history: {epochs}",
        help=advice,
    )
    # The training compared float32 losses: a loss on the border may fall on either side.
    ends = {stop(main.history.val_loss, main.min_delta + shift, max(1, main.patience)) for shift in (-1e-6, 0.0, 1e-6)}
    stopped = any(run == epochs and (epochs == main.epoch_limit or run - best >= main.patience) for run, best in ends)
    require(
        stopped,
        "results/training.json: the main run did not end where early stopping ends it",
        f"min_delta {main.min_delta:g}, patience {main.patience}, epoch limit {main.epoch_limit}",
        f"epochs run: {epochs}",
        f"by its own val_loss it ends after epoch {min(ends)[0]}" if min(ends)[0] < epochs else "by its own val_loss it would have gone on",
        help=f"Mend train, then measure again. {advice}",
    )
    require(
        (main.min_delta, main.patience) == (MIN_DELTA, PATIENCE),
        "results/training.json: the main run has another rule of early stopping than the lab's",
        f"expected: min_delta {MIN_DELTA:g}, patience {PATIENCE}",
        f"received: min_delta {main.min_delta:g}, patience {main.patience}",
        help=advice,
    )
    best = {main.history.val_accuracy[epoch - 1] for _, epoch in ends}
    reached = main.val_correct / max(1, main.val_total)
    require(
        any(abs(accuracy - reached) <= BEST_OFF for accuracy in best),
        "results/training.json: the trained model has another accuracy than its best epoch had",
        f"val_accuracy of the best epoch: {min(best):.3f}",
        f"val_correct / val_total: {main.val_correct} / {main.val_total} = {reached:.3f}",
        help=f"If train does not restore the best weights, mend that first. {advice}",
    )
    for run in training.sweep:
        require(
            1 <= run.epochs_run <= run.epoch_limit,
            "results/training.json: a run of the sweep has more epochs than its limit, or none",
            f"batch size {run.batch_size}, epoch_limit {run.epoch_limit}, epochs_run {run.epochs_run}",
            help=advice,
        )
    found = [(run.epoch_limit, run.batch_size) for run in training.sweep]
    limits = sorted({limit for limit, _ in found})
    wanted = sorted((limit, size) for limit in limits for size in TRAINING_BATCH_SIZES)
    require(
        len(limits) >= SWEEP_LIMITS and sorted(found) == wanted,
        "results/training.json: the sweep is not complete",
        f"expected: batch sizes {', '.join(map(str, TRAINING_BATCH_SIZES))}, each with the same epoch limits, at least {SWEEP_LIMITS}",
        f"received (epoch limit, batch size): {compare.show(found)}",
        help="Run `lab measure` again until it says that every step is done.",
    )
