"""The student's own training in results/: whose weights they are, what they say, and whether the file fits together."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import numpy as np

from grader.artifacts import Machine, MissingResults, Results, Training
from grader.checks import compare, oracle
from grader.checks.compare import require
from grader.host.submission import Submission
from grader.lab import CLASSES, IMAGE_SHAPE, MIN_DELTA, PATIENCE, TRAINING_BATCH_SIZES
from grader.outcomes import CheckEnded, CheckFailed
from grader.results import State
from grader.rubric.scripted_training import HISTORY
from grader.rubric.stopping_rules import stop

CHECKED: Final = 12
"""Pictures whose labels are worked out on this side too, from the weights."""
NEAR: Final = 1e-3
"""Relative difference of two probabilities below which either class may be the largest: float32 and the float64 oracle are 1e-5 apart."""

MOST_ALIKE: Final = 3
"""So many classes may share the largest probability: a trained network finds one, or hesitates between two."""

BEST_OFF: Final = 0.02
"""How far the accuracy of the trained model may be from its best epoch's: a training of one's own may take the mean over batches."""

SWEEP_LIMITS: Final = 2

_NETWORK: Final = oracle.lab_network()
_SHAPES: Final = {name: [kernel, kernel[-1:]] for name, kernel in oracle.kernels(_NETWORK, IMAGE_SHAPE).items() if kernel}
"""Shapes of kernel and bias of each layer that has weights."""


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
            isinstance(output, np.ndarray) and output.ndim == 2 and len(output) == len(images) and output.shape[1] > 0,
            "the model gives no row of probabilities for each image",
            f"received: {compare.show(output)}",
        )
        return np.asarray(output.argmax(axis=1))
    try:
        labels = compare.record(found, ("labels", "confidences"), "predict_classes' result", "Predictions")["labels"]
        items = compare.sequence(labels, "predict_classes' labels", length=len(images))
        labels = [compare.integer(item, "a label of predict_classes") for item in items]
    except CheckFailed as error:
        raise error.retold("", help="Mend predict_classes (section 2) first.") from None
    return np.array([label if 0 <= label < CLASSES else -1 for label in labels], np.int64)  # none of the others is right


def by_layer(submission: Submission, model: Any, weights: list[np.ndarray]) -> oracle.Weights:
    """Finds out which array of results/ belongs to which layer of the lab's network.

    Args:
        submission: The submission.
        model: The model, with these weights.
        weights: The arrays of results/, in the model's own order, which is that in which its layers were made.

    Returns:
        For each layer its kernel and bias, from the file.

    Raises:
        CheckFailed: They are not those of the lab's network.
    """
    orders = (_as_held(weights, submission.tools.layer_weights(model)), in_order(weights))
    fitting = [found for found in orders if {name: [one.shape for one in arrays] for name, arrays in found.items()} == _SHAPES]
    require(
        bool(fitting) and len(weights) == 2 * len(_SHAPES),
        "results/weights.safetensors does not hold the weights of the lab's network",
        "expected: a kernel and a bias for each of " + ", ".join(_SHAPES),
        f"received: {compare.show([array.shape for array in weights])}",
        help="Mend build_model (section 2) first, then run `lab measure` again.",
    )
    return {name: fitting[0][name] for name in _SHAPES}


def in_order(weights: list[np.ndarray]) -> oracle.Weights:
    """Takes arrays in the order of the lab's table, a kernel and a bias for each layer.

    Args:
        weights: The arrays.

    Returns:
        The arrays by layer; fewer where there are not enough.
    """
    return {name: weights[2 * place : 2 * place + 2] for place, name in enumerate(_SHAPES)}


def _as_held(weights: list[np.ndarray], held: Any) -> oracle.Weights:
    # What the worker says of layers is taken for the order alone; the numbers are the file's.
    left, found = list(weights), {}
    for name, arrays in held.items() if isinstance(held, dict) else ():
        for array in arrays if isinstance(arrays, list) else ():
            place = next((place for place, one in enumerate(left) if isinstance(array, np.ndarray) and np.array_equal(one, array)), None)
            if place is not None:
                found.setdefault(name, []).append(left.pop(place))
    return found


def own_probabilities(weights: oracle.Weights, images: np.ndarray, seed: bytes) -> dict[int, np.ndarray]:
    """Runs some of the pictures through the lab's network on this side.

    Args:
        weights: The network's arrays by layer.
        images: (n, 64, 64, 3) uint8.
        seed: Draws the pictures that are looked at.

    Returns:
        The probabilities of the classes, by the picture's place.
    """
    # Other weights are looked at on other pictures, so that nobody can try until some fit.
    content = hashlib.sha256(b"".join(array.tobytes() for arrays in weights.values() for array in arrays)).digest()
    places = np.random.default_rng([*seed, *content]).choice(len(images), CHECKED, replace=False)
    return {int(place): oracle.run(_NETWORK, weights, images[place : place + 1] / 255.0)["dense2"][0] for place in places}


def require_own_labels(found: np.ndarray, probabilities: dict[int, np.ndarray]) -> None:
    """Requires that labels are those that the lab's network gives with the weights in results/, and not another's.

    Args:
        found: (n,) the labels that the submission gave.
        probabilities: What the network gives for some of them, as `own_probabilities` has it.

    Raises:
        CheckFailed: A label is another, or the network tells no class from another.
    """
    for place, row in probabilities.items():
        label, near = int(found[place]), row >= row.max() * (1 - NEAR)
        require(
            near.sum() <= MOST_ALIKE,
            "the network with the weights in results/weights.safetensors finds many classes equally probable",
            f"picture {place}: {int(near.sum())} classes share the largest probability, {row.max():.3g}",
            help="Such a network has learned nothing: look at train, then run `lab measure` again.",
        )
        require(
            0 <= label < len(row) and bool(near[label]),
            "predict_classes does not give the labels of the network in results/weights.safetensors",
            f"picture {place}: expected label {int(row.argmax())}, received {label}",
            help="It should give the most probable class of the model that it is given.",
        )


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
