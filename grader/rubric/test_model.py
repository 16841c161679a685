"""Section 2, model: a convolutional network, what it costs, and what it says."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from hypothesis import strategies as st

from grader.checks import oracle
from grader.checks.check import check, examples
from grader.checks.compare import Mistake, array, close, equal, fail, holds_numbers, integer, record, refused, show
from grader.checks.findings import each, finding, supported
from grader.lab import IMAGE_SHAPE
from grader.outcomes import CheckFailed
from grader.rubric.networks import TOLERANCE, TableColumns, changes_each_time, fresh_model, lab_model, random_model, told_apart


@check(points=5)
def test_architecture(submission, rng):
    """build_model gives the network of the table: same layers, and same output for the same weights."""
    images = rng.random((2, *IMAGE_SHAPE), dtype=np.float32)
    model = submission.model.build_model()
    lab_model(submission, model, 200, rng, images)
    try:
        lab_model(submission, submission.model.build_model(17), 17, rng, images[:1])
    except CheckFailed as error:
        error.earned = 0.6  # the lab's own network is right
        fresh_model(submission, submission.model.build_model())  # what costs more is told first
        raise
    fresh_model(submission, submission.model.build_model())


@check(points=2)
@examples(count=40, kernel=st.integers(1, 11), stride=st.sampled_from([None, 1, 2, 3, 4]), more=st.integers(0, 60))
def test_conv_output_size(submission, suspects, kernel, stride, more):
    """The output size of a convolution with valid padding."""
    size, step = kernel + more, stride or 1
    found = submission.model.conv_output_size(size, kernel, *([] if stride is None else [stride]))
    if isinstance(found, float):
        fail("conv_output_size should give an integer", "expected: int", f"received: {found}", help="Divide with //, which rounds down.")
    places = integer(found, "conv_output_size's result")
    mistakes = [
        Mistake((size - kernel) // step, "One place is missing: + 1", "A kernel as large as the input fits once."),
        Mistake(size - kernel + 1, "The stride has no effect", "The places are a stride apart."),
        Mistake(-(-size // step), 'This is the size with "same" padding', "With valid padding the kernel stays inside the input."),
        Mistake(-(-(size - kernel) // step) + 1, "The division was rounded up", "Where the kernel does not fit is no place."),
        Mistake((size - kernel + 1) // step, "The 1 was added before dividing by the stride"),
    ]
    equal(
        places,
        (size - kernel) // step + 1,
        f"The output size for size {size}, kernel {kernel}, stride {step}",
        help="Count the places: 0, stride, 2 x stride, ... as long as the kernel fits.",
        mistakes=suspects.left(places, mistakes),
    )


@check(points=4)
def test_layer_table(submission, rng):
    """Shape, parameters, multiply-accumulates and bytes of every layer, for any network."""
    table = TableColumns()
    for number in range(6):
        model, network, _, input_shape = random_model(submission, rng, functional=number % 2 == 1, frozen=True)  # it costs as much
        table.compare(submission.model.layer_table(model), network, input_shape)
    network, input_shape = oracle.draw_network(rng, frozen=True)
    network = [{**layer, "use_bias": False} if layer["kind"] in ("Conv2D", "Dense") else layer for layer in network]
    model = submission.tools.make_functional(network, list(input_shape))
    table.compare(submission.model.layer_table(model), network, input_shape)
    table.judge()


@check(points=2)
def test_feature_maps(submission, rng):
    """What named layers put out, in a Sequential and in a functional model."""
    asked_for = []
    for functional in (False, True):
        model, network, weights, input_shape = random_model(
            submission, rng, functional=functional, misplaced=True, channels=3, dropout=True
        )
        images = rng.random((3, *input_shape), dtype=np.float32)
        outputs = oracle.run(network, weights, images)
        convolutions = [layer["name"] for layer in network if layer["kind"] == "Conv2D"]
        names = [convolutions[0], network[-2]["name"], convolutions[-1]]
        asked_for.append((model, images, names))
        found = submission.model.feature_maps(model, images, names)
        if not isinstance(found, dict) or set(found) != set(names):
            received = sorted(map(str, found)) if isinstance(found, dict) else type(found).__name__
            fail("feature_maps should map each name to that layer's output", f"expected: {sorted(names)}", f"received: {received}")
        if _exchanged(found, outputs, names):
            fail(
                "The right layers, under each other's names: outputs were collected in one order and paired with names in another",
                f"asked for, in this order: {names}",
                f"in the model's order: {sorted(names, key=list(outputs).index)}",
                help="Collect one output for each name, in the order of layer_names.",
            )
        alone = submission.model.feature_maps(model, images[:1], names[:1]) if functional else None
        if isinstance(alone, dict) and _is_near(alone.get(names[0]), outputs[names[0]][0]):
            fail(
                "feature_maps drops the axis of the images where there is only one",
                f"expected: shape {(1, *outputs[names[0]].shape[1:])}",
                f"received: {show(alone[names[0]])}",
                help="One image gives arrays of shape (1, ...): leave np.squeeze out.",
            )
        one = submission.model.feature_maps(model, images, names[:1])
        if not isinstance(one, dict) or set(one) != set(names[:1]):
            fail("feature_maps goes wrong for a single name", f"expected: a dict with {names[0]!r}", f"received: {show(one)}")
        if any(_off(found[name], outputs[name]) for name in names):
            again = submission.model.feature_maps(model, images, names)
            if isinstance(again, dict) and any(told_apart(found[name], again.get(name)) for name in names):
                last = network[-1]["name"]  # a softmax: never all 0
                black = submission.model.feature_maps(model, np.zeros_like(images), [last])
                right = oracle.run(network, weights, np.zeros_like(images))[last]
                changes_each_time("feature_maps", _flat(black.get(last)) if isinstance(black, dict) else None, right)
        for value, name in [*((found[name], name) for name in names), (one[names[0]], names[0])]:
            array(
                value,
                outputs[name].astype(np.float32),
                f"The output of {name} in a {'functional' if functional else 'Sequential'} model",
                tolerance=TOLERANCE,
                help="Give what this layer puts out, activation included, for the images as they are: model.get_layer(name).output.",
                mistakes=[_other_layer(name, wrong, other) for wrong, other in outputs.items() if wrong != name]
                + [
                    Mistake(outputs[name][:1], "Only the first image was run"),
                    Mistake(
                        outputs[name][0],
                        "With a single name only the first image's output comes back",
                        "A Keras model with one output gives an array, not a list of one: zip then pairs the name with the first image.",
                    ),
                ],
            )
    # Last, since it costs a part of the points only.
    for model, images, names in asked_for:
        # The second is how names begin, and is none; and it stands behind one that is there.
        for unknown, before in (("no_such_layer", []), ("conv", names[:1])):
            asked = [*before, unknown]
            refused(
                lambda model=model, images=images, asked=asked: submission.model.feature_maps(model, images, asked),
                "ValueError",
                f'feature_maps for "{unknown}", a layer that is not there',
                takes="feature_maps takes a layer's name that the model does not have",
                other="feature_maps meets an unknown layer with another error",
                help="model.get_layer(name) raises it for you.",
            )


def _other_layer(name, wrong, output):
    asked = f"Asked for {name}, feature_maps gave the output of {wrong}"
    if wrong.startswith(name):
        return Mistake(
            output, f"{asked}: only the beginnings of the names were compared", "Compare whole names, or use model.get_layer(name)."
        )
    return Mistake(
        output,
        f"{asked}: the layer was taken by its place, not by its name",
        "A functional model's layers begin with the input, a Sequential one's do not, and another model may have other layers, so "
        "model.layers[1] is not always the same layer: use model.get_layer(name).",
    )


def _off(value, expected):
    return not (isinstance(value, np.ndarray) and value.shape == expected.shape) or told_apart(value, expected)


def _is_near(value, expected):
    same_kind = isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.shape == expected.shape
    return same_kind and np.allclose(value, expected, atol=TOLERANCE)


def _exchanged(found, outputs, names):
    """Whether the maps are those that were asked for, but not each under its own name."""
    partners = {name: next((other for other in names if _is_near(found[name], outputs[other])), None) for name in names}
    return set(partners.values()) == set(names) and any(name != other for name, other in partners.items())


@check(points=2)
def test_predict_classes(submission, rng):
    """The most probable class of each image and its probability, for any number of images."""
    for _ in range(12):
        model, network, weights, input_shape = random_model(submission, rng, functional=True, classes=9, channels=3, dropout=True)
        images, probabilities = _clear_cases(rng, network, weights, input_shape, count=131)  # prime: no batch size divides it
        # A network whose neurons are mostly dead gives one class to nearly all images, and tells little; dead ones leave no clear case.
        if len(images) and np.bincount(probabilities.argmax(axis=1)).max() <= 0.5 * len(images):
            break
    submission.tools.set_layer_weights(model, weights)  # _clear_cases has centred the last layer
    labels, best = probabilities.argmax(axis=1), probabilities.max(axis=1)
    count = len(images)
    found = record(submission.model.predict_classes(model, images), ("labels", "confidences"), "predict_classes' result", "Predictions")
    given, sure = _flat(found["labels"]), _flat(found["confidences"])
    sides = (f"expected: {count} labels", f"received: {given.size}")
    if given.ndim == 1 and given.size > count and np.array_equal(given[:count], labels):
        fail(
            f"predict_classes gives {given.size} labels for {count} images: the last batch was counted as a whole one",
            *sides,
            help="The last batch is smaller. With 10,000 images in batches of 32, an accuracy would be divided by 10,016.",
        )
    if given.ndim == 1 and 0 < given.size < count and np.array_equal(given, labels[: given.size]):
        fail(
            f"predict_classes gives {given.size} labels for {count} images: the last batch is missing",
            *sides,
            help="The last batch is smaller, and is to be classified too.",
        )
    if _off(given, labels) or _off(sure, best):
        again = submission.model.predict_classes(model, images)
        if isinstance(again, dict) and told_apart(sure, _flat(again.get("confidences"))):
            black = submission.model.predict_classes(model, np.zeros_like(images[:3]))
            right = list(oracle.run(network, weights, np.zeros_like(images[:3])).values())[-1].max(axis=1)
            changes_each_time("predict_classes", _flat(black.get("confidences")) if isinstance(black, dict) else None, right)
    array(
        found["labels"],
        labels,
        "The column of labels",
        help="The class with the largest probability of each row, in the order of the images.",
        mistakes=[
            Mistake(probabilities.argmax(axis=0), "The maximum was taken over the images, not over the classes", "Use axis=1 (or -1)."),
            Mistake(probabilities.argmin(axis=1), "These are the least probable classes", "Use argmax."),
            Mistake(labels + 1, "Labels start at 1", "Class indices start at 0."),
            Mistake(labels[::-1], "The labels are in reverse order"),
            Mistake(np.sort(labels), "The labels are sorted: they no longer stand beside their images", "Keep the order of the images."),
        ],
    )
    array(
        found["confidences"],
        best.astype(np.float32),
        "The column of confidences",
        tolerance=TOLERANCE,
        help="The largest probability of each row.",
        mistakes=[
            Mistake(
                _softmax(probabilities).max(axis=1),
                "A softmax was applied to probabilities",
                "The output is probabilities already.",
            ),
            Mistake(best * 100, "The confidences are in percent", "Give the probability itself."),
            Mistake(best - np.sort(probabilities, axis=1)[:, -2], "This is the margin to the second class, not the probability"),
        ],
    )
    answer = submission.model.predict_classes(model, images[:1])
    single = record(answer, ("labels", "confidences"), "predict_classes' result", "Predictions")
    for key, values in (("labels", labels[:1]), ("confidences", best[:1].astype(np.float32))):
        advice = "One image gives arrays of shape (1,)."
        array(single[key], values, f"The column of {key} for a single image", tolerance=TOLERANCE, help=advice)


@check(points=3)
@examples(
    count=60,
    always=[
        {"rows": 12, "classes": 12, "k": 3, "chance": 7196},  # each known mistake gives another number there, and none the right one
    ],
    rows=st.integers(1, 12),
    classes=st.integers(2, 12),
    k=st.integers(1, 12),
    chance=st.integers(0, 2**32 - 1),
)
def test_top_k(submission, suspects, rows, classes, k, chance):
    """The fraction of rows whose class is among their k most probable ones."""
    probabilities, labels, expected, mistakes = _top_k_case(rows, classes, min(k, classes), chance)
    found = submission.model.top_k_accuracy(probabilities, labels, min(k, classes))
    left = suspects.left(found, mistakes)
    if len(left) > 1 and isinstance(found, float) and found != expected:
        # Small examples fit several mistakes: a large one tells them apart.
        probabilities, labels, _, mistakes_there = _top_k_case(40, 30, 7, chance)
        suspects.left(submission.model.top_k_accuracy(probabilities, labels, 7), mistakes_there)
        left = suspects.left(found, mistakes)
    close(
        found,
        expected,
        f"top_k_accuracy for {rows} rows, {classes} classes and k={min(k, classes)}",
        help="A row counts once when its own label is among its own k most probable classes; divide by the number of rows.",
        mistakes=left,
    )


@lru_cache(maxsize=512)
def _top_k_case(rows, classes, k, chance):
    random = np.random.default_rng(chance)
    # No two probabilities of a row are equal: what comes first then is left open.
    ranks = np.stack([random.permutation(classes) for _ in range(rows)]) + 1.0
    ranks **= random.uniform(0.3, 3.0, (rows, 1))  # some rows are surer than others: a number says nothing about its place in another row
    probabilities = (ranks / ranks.sum(axis=1, keepdims=True)).astype(np.float32)
    labels = random.integers(0, classes, rows)
    best = np.argsort(-probabilities, axis=1)[:, :k]
    least = np.argsort(probabilities, axis=1)[:, :k]
    hits = (best == labels[:, None]).any(axis=1)
    over_batch = (
        "A prediction was looked up among the labels of the whole batch, not of its own row",
        "Compare row by row: best[i] with labels[i]. Over the whole batch, guessing looks like 15 % at batch size 32 and 48 % at 128.",
    )
    own = probabilities[np.arange(rows), labels]
    thresholds = np.sort(probabilities, axis=1)[:, -k]
    whole = np.sort(probabilities, axis=None)[-k * rows]
    down = np.argsort(probabilities, axis=0)
    down_the_batch = ("The order was taken down the batch, not along each row", "One row is one image: sort with axis=1.")
    mistakes = [
        Mistake(float((best == labels[:, None]).sum() / (rows * k)), "The hits were divided by rows x k", "Divide by the number of rows."),
        Mistake(float(hits.sum()), "The hits were not divided by the number of rows"),
        Mistake(float(hits.mean() * 100), "The result is in percent", "Give a fraction of 1."),
        Mistake(float((best[:, 0] == labels).mean()), "k has no effect: this is top-1"),
        Mistake(float(np.isin(labels, best).mean()), *over_batch),
        Mistake(float(np.isin(best, labels).any(axis=1).mean()), *over_batch),
        Mistake(float(np.isin(best, labels).mean()), *over_batch),
        Mistake(float(np.isin(best, labels).sum() / rows), *over_batch),
        *(Mistake(float(np.isin(labels, order[-k:]).mean()), *down_the_batch) for order in (down, down[::-1])),
        Mistake(
            float((own >= whole).mean()),
            "The largest numbers of the whole batch were taken, not of each row",
            "A row that is sure of itself has larger numbers than others: take the k largest of each row, with axis=1.",
        ),
        *(
            Mistake(
                float((own >= thresholds[one]).mean()),
                f"The k-th largest number of the {which} row was taken as the limit for all rows",
                "Each row has a k-th largest number of its own.",
            )
            for one, which in ((0, "first"), (-1, "last"))
        ),
        Mistake(float((least == labels[:, None]).any(axis=1).mean()), "The k least probable classes were taken", "argsort goes upwards."),
        Mistake(float((best[:, -1] == labels).mean()), "Only the k-th class was compared", "Any of the first k counts."),
    ]
    return probabilities, labels, float(hits.mean()), mistakes


@check(points=2)
def test_model_findings(folder):
    """The layer with most of the arithmetic, and its share."""
    costs = oracle.costs(oracle.lab_network(), IMAGE_SHAPE)
    total = sum(cost.macs for cost in costs)
    most = max(costs, key=lambda cost: cost.macs)
    source = "the layer table of the lab's network"

    def layer() -> None:
        largest = {
            max(costs, key=lambda cost: cost.parameters).name: "this is the layer with most parameters",
            max(costs, key=lambda cost: cost.bytes).name: "this is the layer with the largest output",
        }
        supported(
            finding(folder, "model", "most_macs_layer", str),
            most.name,
            source,
            help="Call your layer_table on your build_model, and take the name in the row with the largest macs.",
            mistakes=[Mistake(name, summary, "Look at the column macs.") for name, summary in largest.items()],
        )

    def share() -> None:
        parameters = sum(cost.parameters for cost in costs)
        supported(
            finding(folder, "model", "most_macs_share", float),
            most.macs / total,
            source,
            help=f"Divide the macs of {most.name} by the macs of all layers.",
            mistakes=[Mistake(most.parameters / parameters, "this is the layer's share of the parameters", "Add up the column macs.")],
        )

    each(layer, share)


def _clear_cases(rng, network, weights, input_shape, *, count):
    """Images whose two most probable classes are further apart than the tolerance, and the probabilities of all classes.

    A random network gives nearly all images to one class; so the last layer is changed until each class has its share.
    """
    images = np.float32(0.7) * rng.random((3 * count, *input_shape), dtype=np.float32)  # none reaches 1: who scales them is seen
    kernel, bias = weights[network[-1]["name"]]
    linear = [*network[:-1], {**network[-1], "activation": "linear"}]
    sums = list(oracle.run(linear, weights, images).values())[-1]
    scale = np.minimum(1.5 / np.maximum(sums.std(axis=0), 1e-6), 12.0)  # larger factors would show float32's last digits
    centre = sums.mean(axis=0)
    weights[network[-1]["name"]] = [(kernel * scale).astype(np.float32), ((bias - centre) * scale).astype(np.float32)]
    probabilities = list(oracle.run(network, weights, images).values())[-1]
    first, second = np.sort(probabilities, axis=1)[:, :-3:-1].T
    clear = np.flatnonzero(first - second > 2 * TOLERANCE)[:count]
    return images[clear], probabilities[clear]


def _flat(found):
    """Labels as an array; an empty one of two axes for what is none, such as a list of batches."""
    try:
        return np.asarray(found) if holds_numbers(found) else np.empty((0, 0))
    except ValueError:
        return np.empty((0, 0))


def _softmax(values):
    return np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)
