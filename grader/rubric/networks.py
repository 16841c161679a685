"""Judges a network by its weights' shapes and by what it puts out with weights of ours, and a layer table column by column."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from grader.checks import oracle
from grader.checks.compare import Mistake, array, equal, fail, holds_numbers, record, sequence, show
from grader.checks.suspects import Suspects
from grader.host.submission import Handle, Submission
from grader.lab import IMAGE_SHAPE
from grader.outcomes import CheckFailed
from grader.results import Feedback

TOLERANCE = 1e-4
"""Allowed error of a float32 output about 1: TensorFlow and the float64 oracle were never seen more than 1e-6 apart."""

LOOKED_AT = 10**6
"""Numbers of an answer that are compared with another one's; the checks ask for some thousands."""

ENLARGED = 16.0
"""How much larger activations are made to see that nothing cuts them off: drawn ones are about 1, and relu6 ends at 6."""

COLUMNS = ("output_shape", "parameters", "macs", "bytes")


def lab_model(submission: Submission, model: Any, classes: int, rng: np.random.Generator, images: np.ndarray) -> None:
    """Compares a model with the lab's network: shapes of weights by layer, then the output with fresh random weights.

    Args:
        submission: The submission.
        model: What build_model gave.
        classes: The number of classes it was asked for.
        rng: Where the weights come from.
        images: (n, 64, 64, 3) float32.

    Raises:
        CheckFailed: It is another network.
    """
    if not isinstance(model, Handle):
        fail("build_model should return a Keras model", "expected: a keras.Model", f"received: {show(model)}")
    submission.tools.build(model, list(IMAGE_SHAPE))
    _same_input(submission.tools.input_shape(model))
    network = oracle.lab_network(classes)
    weights = oracle.draw_weights(network, IMAGE_SHAPE, rng)
    _same_shapes(submission.tools.weight_shapes(model), network, classes)
    submission.tools.set_layer_weights(model, weights)
    found = submission.tools.outputs(model, images)
    expected = oracle.run(network, weights, images)["dense2"].astype(np.float32)
    what = "With weights of the grader's, the model's output"
    try:
        array(found, expected, what, tolerance=TOLERANCE, dtype="float32")
    except CheckFailed:
        # Which mistake would give this output? Each candidate is a network of its own to run, so only now.
        mistakes = list(_other_networks(network, weights, images))
        array(found, expected, what, tolerance=TOLERANCE, dtype="float32", help="Compare each layer with the table.", mistakes=mistakes)
    _not_cut_off(submission, model, network, weights, images, expected)


def fresh_model(submission: Submission, model: Any) -> None:
    """Holds that each call of build_model gives another model, with random weights of its own that can be trained.

    Args:
        submission: The submission.
        model: What one call gave.

    Raises:
        CheckFailed: Two calls share weights, or weights are nearly all the same number, or do not change in training.
    """
    if not isinstance(model, Handle):
        return  # lab_model says what it is
    other = submission.model.build_model()
    if not isinstance(other, Handle):
        return
    kernels = []
    for one in (model, other):
        submission.tools.build(one, list(IMAGE_SHAPE))
        found = submission.tools.layer_weights(one)
        kernels.append({name: arrays[0] for name, arrays in found.items() if arrays and np.ndim(arrays[0]) > 1})
    if any(np.unique(kernel).size <= kernel.size / 2 for kernel in kernels[0].values() if kernel.size > 1):
        fail(
            "The fresh weights of a layer are all the same number, or only a few numbers",
            help="Leave kernel_initializer as it is: neurons that begin alike stay alike.",
            earned=0.4,
        )
    trainable, weights = submission.tools.trainable(model)
    if trainable != weights:
        fail(
            "Some weights of build_model's model are not trained",
            f"expected: {weights} trainable weights",
            f"received: {trainable}",
            help="Leave trainable as it is: True.",
            earned=0.6,
        )
    images = np.random.default_rng(0).random((4, *IMAGE_SHAPE), dtype=np.float32)
    still = sequence(submission.tools.unreached(model, images), "The layers that do not learn")
    if still:
        fail(
            "Not every layer of build_model's model learns: no gradient reaches the kernel of some",
            f"received: {', '.join(str(name)[:20] for name in still)}"[:300],
            help="Let each layer take the output of the one before it, and nothing in between.",
            earned=0.6,
        )
    same = [name for name, kernel in kernels[0].items() if name in kernels[1] and np.array_equal(kernel, kernels[1][name])]
    if same:
        whole = len(same) == len(kernels[0])
        fail(
            f"Two calls of build_model give {'the same weights' if whole else f'{same[0][:20]} the same weights each time'}",
            "expected: fresh random weights at each call",
            *(() if whole else (f"received: the same kernel twice in {', '.join(name[:20] for name in same)}"[:300],)),
            help="Build a new model inside the function, and set no seed there: a sweep compares models that begin anew."
            if whole
            else "Give its kernel_initializer no seed: with one, the layer begins with the same numbers at each call.",
            earned=0.8,
        )


def _same_input(shape: Any) -> None:
    received = sequence(shape, "the model's input shape")
    if received and (
        len(received) != len(IMAGE_SHAPE) or any(one not in (None, other) for one, other in zip(received, IMAGE_SHAPE, strict=True))
    ):
        fail(
            "The model takes images of another shape",
            f"expected: {IMAGE_SHAPE}",
            f"received: {tuple(received)}",
            help="keras.Input((64, 64, 3)).",
        )


def _same_shapes(found: dict[str, list[list[int]]], network: oracle.Network, classes: int) -> None:
    names = [layer["name"] for layer in network]
    missing = [name for name in names if name not in found]
    if missing:
        fail(
            f"The model has no layer named {missing[0]}",
            f"expected: {', '.join(names)}",
            f"received: {', '.join(found) or 'no layers'}"[:300],
            help='Give each layer its name from the table: name="conv1". The profile is read by these names.',
        )
    before: Sequence[int] = IMAGE_SHAPE
    for layer, after in zip(network, oracle.shapes(network, IMAGE_SHAPE), strict=True):
        kernel = oracle.kernel_shape(layer, before)
        before = after
        shapes = [list(kernel), [kernel[-1]]] if kernel else []
        received = found[layer["name"]]
        if [list(shape) for shape in received] == shapes:
            continue
        sides = (f"expected: weights of shapes {shapes}", f"received: {[list(shape) for shape in received]}")
        fail(*_why_shapes(layer, shapes, received, sides, classes))
    others = [name for name, shapes in found.items() if shapes and name not in names]
    if others:
        fail(
            f"The model has a layer with weights that is not in the table: {others[0]}", help="Build the layers of the table and no others."
        )


def _why_shapes(layer: oracle.Layer, shapes: Any, received: Any, sides: tuple[str, str], classes: int) -> tuple[str, ...]:
    name = layer["name"]
    if not received:
        return (f"{name} has no weights", *sides)
    kernel, wanted = list(received[0]), shapes[0] if shapes else []
    if len(received) == 1 and kernel == wanted:
        return (f"{name} has no bias", *sides)
    if layer["kind"] == "Dense" and len(kernel) == 2 and kernel[0] != wanted[0]:
        if kernel[0] == (IMAGE_SHAPE[0] // 8) ** 2 * 128:
            return (f'{name} has {kernel[0]} inputs: that is "same" padding; the table\'s convolutions use "valid" padding', *sides)
        return (f"{name} has {kernel[0]} inputs instead of {wanted[0]}: a layer before it puts out another shape", *sides)
    if name == "dense2" and len(kernel) == 2:
        return (f"build_model(classes={classes}) makes a model with {kernel[1]} outputs", *sides)
    if layer["kind"] == "Conv2D" and len(kernel) == 4:
        parts = (("kernel size", slice(0, 2)), ("number of input channels", slice(2, 3)), ("number of filters", slice(3, 4)))
        for part, where in parts:
            if kernel[where] != wanted[where]:
                return (f"{name} has the wrong {part}", *sides)
    return (f"{name} has weights of the wrong shapes", *sides)


def _not_cut_off(
    submission: Submission, model: Handle, network: oracle.Network, weights: oracle.Weights, images: np.ndarray, expected: np.ndarray
) -> None:
    """Holds that large activations pass: the same output with weights that make them larger."""
    larger = oracle.enlarged(network, weights, ENLARGED)
    submission.tools.set_layer_weights(model, larger)
    found = submission.tools.outputs(model, images)
    what = f"With weights that make the activations {ENLARGED:g} times as large, the model's output"
    try:
        array(found, expected, what, tolerance=TOLERANCE, dtype="float32")
    except CheckFailed:
        active = [layer["name"] for layer in network if layer.get("activation") == "relu"]
        mistakes = []
        for names in (active, [name for name in active if name.startswith("conv")], *([name] for name in active)):
            cut = [{**layer, "activation": "relu6"} if layer["name"] in names else layer for layer in network]
            whose = f"activations of {names[0]}" if len(names) == 1 else "activations"
            mistakes.append(Mistake(oracle.run(cut, larger, images)["dense2"], f"Large {whose} are cut off at 6: that is relu6, not ReLU"))
        advice = 'ReLU is max(0, x): it has no upper end. Give activation="relu".'
        array(found, expected, what, tolerance=TOLERANCE, dtype="float32", help=advice, mistakes=mistakes)


def _other_networks(network: oracle.Network, weights: oracle.Weights, images: np.ndarray) -> Iterator[Mistake]:
    def output(change: Callable[[oracle.Layer], dict[str, Any]], scale: float = 1.0) -> np.ndarray:
        changed = [{**layer, **change(layer)} for layer in network]
        return oracle.run(changed, weights, images * scale)["dense2"]

    def without(*names: str) -> np.ndarray:
        return output(lambda layer: {"activation": "linear"} if layer["name"] in names else {})

    active = [layer["name"] for layer in network if layer.get("activation") == "relu"]
    logits = without("dense2")
    yield Mistake(logits, "The output is no probabilities: dense2 has no softmax", 'Give dense2 activation="softmax".')
    yield Mistake(
        output(lambda layer: {"activation": "sigmoid"} if layer["name"] == "dense2" else {}),
        "dense2 ends in a sigmoid instead of a softmax",
        "The classes exclude each other: a row must sum to 1.",
    )
    yield Mistake(np.maximum(logits, 0), "dense2 ends in a ReLU instead of a softmax", 'Give dense2 activation="softmax".')
    convolutions = [name for name in active if name.startswith("conv")]
    yield Mistake(without(*active), "There is no ReLU in the model", 'Give every convolution and dense1 activation="relu".')
    yield Mistake(without(*convolutions), "The convolutions have no ReLU", 'Give each activation="relu".')
    for name in active:
        yield Mistake(without(name), f"{name} has no ReLU", f'Give {name} activation="relu".')
    for name in convolutions:
        try:
            same = output(lambda layer, name=name: {"padding": "same"} if layer["name"] == name else {})  # type: ignore[misc]
        except ValueError:
            continue  # the sizes no longer fit, so this was not the mistake
        yield Mistake(same, f'{name} has "same" padding', f'Compare its output size with the table, and give {name} padding="valid".')
    yield Mistake(
        output(lambda layer: {"kind": "AveragePooling2D"} if layer["kind"] == "MaxPooling2D" else {}),
        "The poolings take the average instead of the largest value",
        "Use MaxPooling2D.",
    )
    yield Mistake(output(lambda _: {}, 1 / 255), "The model divides its input by 255 once more", "Images come in [0, 1].")


class TableColumns:
    """Compares layer tables of several networks, column by column; each column is worth the same.

    A mistake is named when it explains every row of its column: one row alone often fits several.
    """

    def __init__(self) -> None:
        self._suspects = Suspects()
        self._wrong: dict[str, tuple[Any, Any, str, oracle.Layer, list[Mistake]]] = {}

    def compare(self, found: Any, network: oracle.Network, input_shape: Sequence[int]) -> None:
        """Compares one table with what its network costs.

        Args:
            found: What layer_table gave.
            network: The layers.
            input_shape: Shape of one input.

        Raises:
            CheckFailed: The rows are not those of the layers.
        """
        rows = [record(row, ("name", *COLUMNS), "A row of the table", "LayerRow") for row in sequence(found, "layer_table's result")]
        names = [row["name"] for row in rows]
        expected = oracle.costs(network, input_shape)
        plain = all(isinstance(name, str) for name in names)
        if plain and len(rows) == len(expected) + 1 and names[1:] == [cost.name for cost in expected]:
            fail(
                "The table has a row for the input",
                f"first row: {names[0]!r}",
                help="A functional model lists its input as its first layer: leave out keras.layers.InputLayer.",
            )
        advice = "One row a layer, in the order of model.layers, without the input. Poolings and Flatten have rows too."
        equal(names, [cost.name for cost in expected], "The column of names", help=advice)
        before: Sequence[int] = input_shape
        for row, cost, layer in zip(rows, expected, network, strict=True):
            for column in COLUMNS:
                mistakes = _table_mistakes(column, layer, before, cost)
                self._suspects.left(row[column], mistakes, of=_kind(column, layer))
                what = f"{column} of {_described(layer)} on {_times(before)}"
                try:
                    equal(row[column], getattr(cost, column), what)
                except CheckFailed:
                    self._wrong.setdefault(column, (row[column], getattr(cost, column), what, layer, mistakes))
            before = cost.output_shape

    def judge(self) -> None:
        """Ends the check.

        Raises:
            CheckFailed: A column is wrong, with the share of the columns that are right.
        """
        if not self._wrong:
            return
        told = []
        for column, (found, expected, what, layer, mistakes) in self._wrong.items():
            try:
                equal(found, expected, what, mistakes=self._suspects.left(found, mistakes, of=_kind(column, layer)))
            except CheckFailed as error:
                told.append(error.feedback)
        first, *others = told
        right = [column for column in COLUMNS if column not in self._wrong]
        comparison = (*first.comparison, *(f"also: {other.summary}" for other in others))
        if right:
            comparison += (f"right columns: {', '.join(right)}",)
        raise CheckFailed(Feedback(first.summary, comparison, first.help), earned=len(right) / len(COLUMNS))


def _kind(column: str, layer: oracle.Layer) -> str:
    return f"{column} of {layer['kind']}"


def _table_mistakes(column: str, layer: oracle.Layer, before: Sequence[int], cost: oracle.Cost) -> list[Mistake]:
    """For a column and a kind of layer always the same mistakes, in the same order."""
    kernel = oracle.kernel_shape(layer, before)
    elements = math.prod(cost.output_shape)
    name = f"{column} of {_described(layer)}"
    match column:
        case "output_shape":
            mistakes = [Mistake((None, *cost.output_shape), f"{name} has the batch axis", "Leave out the first axis, None: shape[1:].")]
            if "padding" in layer:
                other = "valid" if layer["padding"] == "same" else "same"
                changed = [{**layer, "padding": other}, {**layer, "strides": [1, 1]}]
                padding, strides = (oracle.shapes([layer], before)[0] for layer in changed)
                mistakes.append(Mistake(padding, f"{name} takes the other padding", "Read the shape off layer.output."))
                mistakes.append(Mistake(strides, f"{name} takes no account of strides", "Read the shape off layer.output."))
            return mistakes
        case "parameters":
            return [
                Mistake(math.prod(kernel) if kernel else -1, f"{name} lack the biases", "A bias a filter or unit comes on top."),
                Mistake(
                    math.prod(kernel) + kernel[-1] if kernel else -1,
                    f"{name} count a bias that the layer has not: it was made with use_bias=False",
                    "layer.count_params() has what is there.",
                ),
                Mistake(
                    cost.parameters if layer.get("trainable", True) else 0,
                    f"{name} are not counted: training does not change them",
                    "layer.count_params() has all.",
                ),
            ]
        case "macs" if kernel:
            formula = "output height x output width x filters x kernel height x kernel width x input channels; inputs x outputs if dense."
            mistakes = [
                Mistake(
                    cost.macs + elements * layer.get("use_bias", True),
                    f"{name} count the biases",
                    "Adding a bias is no multiplication: leave biases out.",
                ),
                Mistake(2 * cost.macs, f"{name} are doubled", "A multiply-accumulate counts once; floating-point operations count two."),
                Mistake(math.prod(kernel), f"{name} are its weights, each counted once", "Each is used at every place of the output."),
                Mistake(cost.macs // before[-1], f"{name} leave out the input channels", f"Count: {formula}"),
                Mistake(
                    0,
                    f"{name} are 0: the layer was taken for one that has no weights",
                    "A layer may have any name: look at its class, as in isinstance(layer, layers.Conv2D).",
                ),
            ]
            if layer["kind"] == "Conv2D":
                square = kernel[0] ** 2 * before[-1] * elements
                mistakes.append(
                    Mistake(math.prod(kernel) * math.prod(before[:-1]), f"{name} count places of the input", f"Count: {formula}")
                )
                mistakes.append(Mistake(square, f"{name} take the kernel to be square", "Multiply its height by its width."))
            return mistakes
        case "macs":
            return [Mistake(elements, f"{name} should be 0", "Poolings and Flatten multiply nothing.")]
    return [
        Mistake(elements, f"{name} is the number of elements", "A float32 takes 4 bytes: multiply by 4."),
        Mistake(elements * 8, f"{name} counts 8 bytes an element", "A float32 takes 4."),
        Mistake(cost.parameters * 4, f"{name} is the size of its weights", "The output's size is asked for."),
    ]


def _described(layer: oracle.Layer) -> str:
    match layer["kind"]:
        case "Conv2D":
            size, step = _times(layer["kernel_size"]), _times(layer["strides"])
            return f"{layer['name']} (Conv2D {size}, {layer['filters']} filters, strides {step}, {layer['padding']})"
        case "MaxPooling2D":
            return f"{layer['name']} (MaxPooling2D {_times(layer['pool_size'])}, strides {_times(layer['strides'])}, {layer['padding']})"
        case "Dense":
            return f"{layer['name']} (Dense {layer['units']})"
    return f"{layer['name']} ({layer['kind']})"


def _times(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))


def random_model(
    submission: Submission, rng: np.random.Generator, *, functional: bool, misplaced: bool = False, **drawn: Any
) -> tuple[Handle, oracle.Network, oracle.Weights, tuple[int, int, int]]:
    """A small random network with random weights, in the worker and here.

    Args:
        submission: The submission.
        rng: Where the chance comes from.
        functional: Whether it is a functional model, whose list of layers begins with the input, or a Sequential one.
        misplaced: Whether the layers have names of the lab's, at other places than there.
        drawn: What `oracle.draw_network` takes beside.

    Returns:
        The model in the worker, its layers, its weights and the shape of one input.
    """
    network, input_shape = oracle.draw_network(rng, **drawn)
    network = oracle.misplaced_names(network) if misplaced else network
    make = submission.tools.make_functional if functional else submission.tools.make_network
    model = make(network, list(input_shape))
    weights = oracle.draw_weights(network, input_shape, rng)
    submission.tools.set_layer_weights(model, weights)
    return model, network, weights, input_shape


def told_apart(one: Any, other: Any) -> bool:
    """Whether two answers to the same question differ by more than rounding, as those of a model that drops part of its input at random.

    Args:
        one: An answer: an array or a list of numbers.
        other: The other.

    Returns:
        True where both have the same shape, and other numbers.
    """
    if not (holds_numbers(one) and holds_numbers(other)):
        return False
    try:
        first, second = np.asarray(one), np.asarray(other)
    except ValueError:
        return False
    if first.size > LOOKED_AT or first.shape != second.shape or first.dtype.kind not in "biuf" or second.dtype.kind not in "biuf":
        return False
    return not np.allclose(first.astype(np.float64), second.astype(np.float64), rtol=0.0, atol=TOLERANCE, equal_nan=True)


def changes_each_time(function: str, black: Any, expected: np.ndarray) -> NoReturn:
    """Ends a check whose function gave other outputs for the same images at a second call, and says why.

    Args:
        function: The student's function.
        black: What it gives for images of zeros. Half of nothing is nothing: dropout of the input does not change them.
        expected: What is right for those.

    Raises:
        CheckFailed: Always.
    """
    sides = ("expected: the same numbers at each call", "received: two calls with the same model and images, and numbers that differ")
    if np.shape(black) == expected.shape and not told_apart(black, expected):
        fail(
            f"{function} runs the model as in training: the same images give other numbers at each call",
            *sides,
            help="Say training=False, or call model.predict, which says so: only in training is a part of the values dropped at random.",
        )
    fail(
        f"{function} gives other numbers at each call, for the same model and images",
        *sides,
        help="Run the model that was given, with the weights that it has: one that is built or cloned anew begins with others.",
    )
