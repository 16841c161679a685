"""The reference against oracles that do not share its code: definitions, numpy, PIL, Keras's own callback, and a real trace."""

import importlib
import importlib.machinery
import importlib.util
import itertools
import math
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

SOLUTIONS = Path(__file__).parents[1] / "solutions"


@pytest.fixture(scope="module")
def reference() -> Iterator[Callable[[str], ModuleType]]:
    """Gives a module of the reference by its section's name."""
    spec = importlib.machinery.ModuleSpec("reference", None, is_package=True)
    spec.submodule_search_locations = [str(SOLUTIONS)]
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    yield lambda section: importlib.import_module(f"reference.{section}")
    for name in [name for name in sys.modules if name.split(".")[0] == spec.name]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def data(reference) -> ModuleType:
    """Section 1."""
    return reference("data")


@pytest.fixture(scope="module")
def model(reference) -> ModuleType:
    """Section 2."""
    return reference("model")


@pytest.fixture(scope="module")
def profiling(reference) -> ModuleType:
    """Section 3."""
    return reference("profiling")


@pytest.fixture(scope="module")
def timing(reference) -> ModuleType:
    """Section 4."""
    return reference("timing")


@pytest.fixture(scope="module")
def training(reference) -> ModuleType:
    """Section 5."""
    return reference("training")


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A data set of 3 classes with the layout's quirks: ids unsorted, more words than ids, a stray folder, one greyscale image."""
    root = tmp_path_factory.mktemp("tiny")
    random = np.random.default_rng(0)
    wnids = ["n03", "n01", "n02"]
    (root / "wnids.txt").write_text("".join(f"{wnid}\n" for wnid in wnids))
    (root / "words.txt").write_text("n00\tnothing\n" + "".join(f"{wnid}\tname\n" for wnid in sorted(wnids)))

    def save(path: Path, *, grey: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        small = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        small.convert("L" if grey else "RGB").resize((64, 64), Image.Resampling.BICUBIC).save(path, "JPEG", quality=85)

    for wnid in [*wnids, "n99"]:
        for number in range(4):
            save(root / "train" / wnid / "images" / f"{wnid}_{number}.JPEG", grey=(wnid, number) == ("n01", 2))
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text(f"{wnid}_0.JPEG\t0\t0\t63\t63\n")
    lines = []
    for number, wnid in enumerate(["n02", "n03", "n02", "n01", "n03", "n01"]):
        save(root / "val" / "images" / f"val_{number}.JPEG")
        lines.append(f"val_{number}.JPEG\t{wnid}\t0\t0\t62\t62\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    return root


# Data


def test_labels_are_line_numbers(data, root):
    """The file's order makes the label, not the alphabet."""
    assert data.load_label_map(root) == {"n03": 0, "n01": 1, "n02": 2}


def test_train_examples_take_their_class_from_the_folder(data, root):
    """Every image of the listed classes once; a folder that wnids.txt does not name is left out."""
    examples = data.list_examples(root, "train")
    assert len({example.path for example in examples}) == len(examples) == 12
    labels = {"n03": 0, "n01": 1, "n02": 2}
    assert all(example.label == labels[Path(example.path).parts[-3]] and Path(example.path).is_file() for example in examples)


def test_val_examples_take_their_class_from_the_annotations(data, root):
    """The annotations are not in class order, and say which image is which."""
    found = {Path(example.path).name: example.label for example in data.list_examples(root, "val")}
    assert found == {f"val_{number}.JPEG": label for number, label in enumerate([2, 0, 2, 1, 0, 1])}


def test_other_splits_are_refused(data, root):
    """The test split has no labels, so there is nothing to list."""
    with pytest.raises(ValueError, match="split='test'"):
        data.list_examples(root, "test")


def test_decoding_divides_in_float32(data, root):
    """Each value is a whole number / 255 to the last bit, near to what PIL decodes, whose inverse cosine transform rounds elsewhere."""
    for example in data.list_examples(root, "train"):
        image = np.asarray(data.decode_image(Path(example.path).read_bytes()))
        whole = np.rint(image * 255)
        assert image.dtype == np.float32
        assert image.shape == (64, 64, 3)
        assert np.array_equal(image, whole.astype(np.float32) / np.float32(255))
        with Image.open(example.path) as file:
            difference = np.abs(whole - np.asarray(file.convert("RGB"), dtype=np.float64))
        assert difference.max() <= 16
        assert difference.mean() < 2


def test_grey_images_get_three_equal_channels(data, root):
    """The one greyscale file of the set decodes like the rest."""
    path = root / "train" / "n01" / "images" / "n01_2.JPEG"
    with Image.open(path) as file:
        assert file.mode == "L"
    image = np.asarray(data.decode_image(path.read_bytes()))
    assert np.array_equal(image[..., 0], image[..., 1])
    assert np.array_equal(image[..., 0], image[..., 2])
    assert image.std() > 0.05


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), max_size=30), st.integers(1, 5))
def test_subset_is_the_first_of_each_class(data, labels, per_class):
    """An example is kept exactly when fewer than per_class of its class stand before it; the order stays."""
    examples = [data.Example(str(index), label) for index, label in enumerate(labels)]
    expected = [example for index, example in enumerate(examples) if labels[:index].count(example.label) < per_class]
    assert data.balanced_subset(examples, per_class) == expected


def order(dataset) -> list[int]:
    """The labels of one pass."""
    return [int(label) for _, labels in dataset for label in labels]


@pytest.fixture(scope="module")
def numbered(data, root):
    """Forty examples whose label is their place in the list."""
    paths = itertools.cycle(example.path for example in data.list_examples(root, "train"))
    return [data.Example(path, number) for number, path in zip(range(40), paths, strict=False)]


def test_dataset_in_order(data, numbered):
    """Without shuffling every pass is in the list's order, the last batch is partial, and images belong to their labels."""
    dataset = data.make_dataset(numbered, 16, shuffle=False)
    assert order(dataset) == order(dataset) == list(range(40))
    batches = list(dataset)
    assert [images.shape for images, _ in batches] == [(16, 64, 64, 3), (16, 64, 64, 3), (8, 64, 64, 3)]
    assert {(images.dtype.name, labels.dtype.name) for images, labels in batches} == {("float32", "int32")}
    for images, labels in batches:
        for image, label in zip(images, labels, strict=True):
            assert np.array_equal(image, data.decode_image(Path(numbered[int(label)].path).read_bytes()))


def test_dataset_shuffled(data, numbered):
    """A seed makes the first pass; the next is another; each has all examples once; and any example can come first."""
    dataset = data.make_dataset(numbered, 16, shuffle=True, seed=1)
    first, second = order(dataset), order(dataset)
    assert sorted(first) == sorted(second) == list(range(40))
    assert first != second
    assert first == order(data.make_dataset(numbered, 7, shuffle=True, seed=1))
    assert first != order(data.make_dataset(numbered, 16, shuffle=True, seed=2))
    assert max(order(data.make_dataset(numbered, 16, shuffle=True, seed=seed))[0] for seed in range(8)) > 16


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_image_facts(data, dtype):
    """Bytes are elements times the type's size, whatever part of another array the image is."""
    facts = data.image_facts(np.zeros((64, 64, 6), dtype)[:, :, ::2])
    assert facts == (dtype, (64, 64, 3), 64 * 64 * 3 * np.dtype(dtype).itemsize)


@settings(deadline=None)
@given(st.lists(st.integers(0, 6), max_size=30))
def test_class_counts(data, labels):
    """Each class is counted, also those that have none."""
    counts = data.class_counts([data.Example("", label) for label in labels], 7)
    assert counts.dtype == np.int64
    assert counts.tolist() == [Counter(labels)[label] for label in range(7)]


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (8, 10, 0.4902, 0.9433), (10, 10, 0.7225, 1.0), (240, 1000, 0.2146, 0.2674)],
)
def test_wilson_known_values(data, correct, total, low, high):
    """Intervals as tables and other programs give them, to four digits."""
    assert data.wilson_interval(correct, total) == pytest.approx((low, high), abs=6e-5)


@settings(deadline=None)
@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0.5, 3))
def test_wilson_ends_are_z_deviations_away(data, total, part, z):
    """The interval's definition: at its ends, what was counted is exactly z standard deviations from what was to be expected."""
    correct = round(part * total)
    for end in data.wilson_interval(correct, total, z):
        assert 0 <= end <= 1
        assert abs(correct / total - end) == pytest.approx(z * math.sqrt(end * (1 - end) / total), abs=1e-7)


# Model

LAYERS = [
    ("conv1", (60, 60, 32), 2_432, 60 * 60 * 32 * 5 * 5 * 3, 460_800),
    ("conv2", (56, 56, 32), 25_632, 56 * 56 * 32 * 5 * 5 * 32, 401_408),
    ("pool1", (28, 28, 32), 0, 0, 100_352),
    ("conv3", (26, 26, 64), 18_496, 26 * 26 * 64 * 3 * 3 * 32, 173_056),
    ("conv4", (24, 24, 64), 36_928, 24 * 24 * 64 * 3 * 3 * 64, 147_456),
    ("pool2", (12, 12, 64), 0, 0, 36_864),
    ("conv5", (10, 10, 64), 36_928, 10 * 10 * 64 * 3 * 3 * 64, 25_600),
    ("conv6", (8, 8, 128), 73_856, 8 * 8 * 128 * 3 * 3 * 64, 32_768),
    ("pool3", (4, 4, 128), 0, 0, 8_192),
    ("flatten", (2048,), 0, 0, 8_192),
    ("dense1", (256,), 524_544, 2048 * 256, 1_024),
    ("dense2", (200,), 51_400, 256 * 200, 800),
]


@pytest.fixture(scope="module")
def network(model):
    """The reference's model, with weights of its own."""
    return model.build_model()


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Seventy images of noise: more than one batch, and not a whole number of them."""
    return np.random.default_rng(1).random((70, 64, 64, 3), dtype=np.float32)


def test_model_is_the_handouts(model, network):
    """Layers, shapes, parameters, multiply-accumulates and bytes are those of the handout's table."""
    assert model.layer_table(network) == LAYERS
    assert network.count_params() == 770_216
    assert sum(row.macs for row in model.layer_table(network)) == 131_595_776


def test_model_gives_probabilities(network, images):
    """Rows sum to 1, and the model is not compiled."""
    rows = np.asarray(network(images[:4]))
    assert rows.shape == (4, 200)
    assert rows.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert not network.compiled


@settings(deadline=None)
@given(st.integers(1, 80), st.integers(1, 80), st.integers(1, 9))
def test_conv_output_size_counts_places(model, size, kernel, stride):
    """As many places as fit when they are tried one by one."""
    size, kernel = max(size, kernel), min(size, kernel)
    assert model.conv_output_size(size, kernel, stride) == len([at for at in range(0, size, stride) if at + kernel <= size])


@pytest.mark.parametrize("functional", [False, True])
def test_layer_table_of_another_model(model, functional):
    """Strides and padding, with shapes and parameters from Keras and multiplications counted place by place; no row for the input."""
    import keras

    stack = [
        keras.layers.Conv2D(5, (3, 2), strides=(2, 3), padding="same", use_bias=False, name="first"),
        keras.layers.MaxPooling2D(3, strides=1, name="pool"),
        keras.layers.Conv2D(4, 3, strides=2, name="second"),
        keras.layers.Flatten(name="flat"),
        keras.layers.Dense(6, name="last"),
    ]
    start = keras.Input((17, 23, 2))
    if functional:
        end = start
        for layer in stack:
            end = layer(end)
        built = keras.Model(start, end)
    else:
        built = keras.Sequential([start, *stack])
    places = {"first": 9 * 8 * 5 * (3 * 2 * 2), "second": 3 * 2 * 4 * (3 * 3 * 5), "last": (3 * 2 * 4) * 6}
    table = model.layer_table(built)
    assert [row.name for row in table] == ["first", "pool", "second", "flat", "last"]
    assert [row.output_shape for row in table] == [(9, 8, 5), (7, 6, 5), (3, 2, 4), (24,), (6,)]
    assert [row.macs for row in table] == [places.get(row.name, 0) for row in table]
    assert sum(row.parameters for row in table) == built.count_params()
    assert [row.bytes for row in table] == [4 * math.prod(row.output_shape) for row in table]
    assert {type(number) for row in table for number in (*row.output_shape, row.parameters, row.macs, row.bytes)} == {int}


def test_feature_maps(model, network, images):
    """The first layer's maps are its convolution, computed here with numpy; the last layer's are what the model says."""
    maps = model.feature_maps(network, images[:3], ["dense2", "conv1"])
    kernel, bias = (np.asarray(weights) for weights in network.get_layer("conv1").weights)
    windows = np.lib.stride_tricks.sliding_window_view(images[:3], (5, 5), axis=(1, 2))
    expected = np.maximum(np.einsum("nxychw,hwcf->nxyf", windows, kernel, optimize=True) + bias, 0)
    assert list(maps) == ["dense2", "conv1"]
    assert maps["conv1"] == pytest.approx(expected, abs=1e-4)
    assert maps["dense2"] == pytest.approx(np.asarray(network(images[:3])), abs=1e-6)


def test_feature_maps_of_an_unknown_layer(model, network, images):
    """A name that the model does not have is an error, not an empty answer."""
    with pytest.raises(ValueError, match="conv9"):
        model.feature_maps(network, images[:1], ["conv9"])


def test_predict_classes(model, network, images):
    """Labels and confidences are the largest of each row, over all batches and in order."""
    rows = np.concatenate([np.asarray(network(image[np.newaxis])) for image in images])
    predictions = model.predict_classes(network, images)
    assert predictions.labels.tolist() == rows.argmax(axis=1).tolist()
    assert predictions.confidences == pytest.approx(rows.max(axis=1), abs=1e-6)
    assert predictions.confidences.dtype == np.float32


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_top_k(model, classes, rows, k, seed):
    """Each row by itself: the true class is among the first k of its classes, sorted by probability."""
    random = np.random.default_rng(seed)
    probabilities = random.permuted(np.tile(np.arange(1.0, classes + 1), (rows, 1)), axis=1)
    labels = random.integers(0, classes, rows)
    hits = [label in sorted(range(classes), key=lambda c: -row[c])[:k] for row, label in zip(probabilities, labels, strict=True)]
    assert model.top_k_accuracy(probabilities, labels, k) == pytest.approx(sum(hits) / rows)


# Profiling


def test_kernel_table(profiling):
    """Events of a layer are found by any part of the path, numbered or not, and added up; others are left out."""
    events = [
        profiling.Event("sequential_1/conv2_1/Relu:_MklNativeFusedConv2D", 10.0, 5.0),
        profiling.Event("model/conv2/Relu:_MklNativeFusedConv2D", 1.0, 2.5),
        profiling.Event("sequential_1/conv1_1/convolution/ReadVariableOp:ReadVariableOp", 0.0, 1.0),
        profiling.Event("sequential/pool1_12/MaxPool2d:_MklNativeMaxPool", 20.0, 9.0),
        profiling.Event("sequential_1/conv20/Relu:_FusedConv2D", 0.0, 100.0),
        profiling.Event("sequential_1/my_conv2/Relu:_FusedConv2D", 0.0, 100.0),
        profiling.Event("sequential_1/flatten7/Reshape:Reshape", 0.0, 100.0),
        profiling.Event("sequential_1/other/Relu:conv2", 0.0, 100.0),
        profiling.Event("conv2", 0.0, 100.0),
        profiling.Event("ThreadpoolListener::Record", 0.0, 100.0),
    ]
    assert profiling.kernel_table(events, ["conv1", "conv2", "pool1", "flatten"]) == [
        ("pool1", "_MklNativeMaxPool", 9.0),
        ("conv2", "_MklNativeFusedConv2D", 7.5),
        ("conv1", "ReadVariableOp", 1.0),
    ]
    assert profiling.end_to_end_us(events, ["conv1", "conv2", "pool1", "flatten"]) == 29.0


@pytest.mark.parametrize("names", [["conv1", "conv1_1"], ["conv1_1", "conv1"]])
def test_an_exact_layer_name_wins(profiling, names):
    """With layers conv1 and conv1_1, conv1_1 is the second and conv1_2 is the first, in whatever order the layers are named."""
    events = [profiling.Event(f"scope/{part}/Relu:K", 0.0, 1.0 + number) for number, part in enumerate(["conv1", "conv1_1", "conv1_2"])]
    assert profiling.kernel_table(events, names) == [("conv1", "K", 4.0), ("conv1_1", "K", 2.0)]


def test_critical_kernel(profiling):
    """The longest row, wherever it stands, and its part of the sum."""
    rows = [profiling.KernelRow("a", "K", 1.0), profiling.KernelRow("b", "L", 6.0), profiling.KernelRow("c", "K", 3.0)]
    assert profiling.critical_kernel(rows) == ("b", "L", 0.6)


def test_end_to_end_is_not_the_last_start(profiling):
    """A long kernel on another thread may end after the kernel that started last."""
    spans = [(5.0, 1.0), (2.0, 30.0), (10.0, 4.0)]
    events = [profiling.Event(f"s/a/{start}:K", start, duration) for start, duration in spans]
    assert profiling.end_to_end_us([profiling.Event("other", 0.0, 99.0), *events], ["a"]) == 30.0


def test_trace_of_a_model(profiling, tmp_path):
    """A real trace holds one call: each convolution once, inside the call's time; and predict was warmed up on a batch of one."""
    import keras
    import tensorflow as tf

    built = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Conv2D(8, 3, activation="relu", name="conv1"), keras.layers.Conv2D(8, 3, name="conv2")]
    )
    run = tf.function(lambda batch: built(batch, training=False))
    shapes = []

    def predict(batch: np.ndarray) -> tf.Tensor:
        shapes.append(batch.shape)
        return run(batch)

    profiling.capture_trace(predict, np.ones((16, 16, 3), np.float32), tmp_path, warmup=2)
    assert shapes == [(1, 16, 16, 3)] * 3
    events = profiling.load_events(tmp_path)
    assert [event.start_us for event in events] == sorted(event.start_us for event in events)
    for layer in ("conv1", "conv2"):
        convolutions = [event for event in events if f"/{layer}" in event.name and event.name.endswith("Conv2D")]
        assert len(convolutions) == 1, [event.name for event in events]
    rows = profiling.kernel_table(events, ["conv1", "conv2"])
    assert {row.layer for row in rows} == {"conv1", "conv2"}
    assert all(row.duration_us > 0 for row in rows)
    assert max(row.duration_us for row in rows) < profiling.end_to_end_us(events, ["conv1", "conv2"]) < 1e6


def test_no_trace_is_told(profiling, tmp_path):
    """An empty folder is an error that says what to call."""
    with pytest.raises(FileNotFoundError, match="capture_trace"):
        profiling.load_events(tmp_path)


@settings(deadline=None)
@given(st.lists(st.floats(0.1, 1000), min_size=2, max_size=100))
def test_summarise(profiling, samples):
    """Figures as the statistics module gives them."""
    summary = profiling.summarise(samples)
    assert summary[:6] == pytest.approx(
        (len(samples), statistics.mean(samples), statistics.median(samples), statistics.stdev(samples), min(samples), max(samples)),
        rel=1e-9,
        abs=1e-9,
    )


@pytest.mark.parametrize(("count", "given"), [(1, 0), (63, 0), (64, 1), (129, 1), (130, 2), (661, 2), (662, 3), (1001, 3)])
def test_percentiles_need_samples(profiling, count, given):
    """A percentile comes with enough samples and not one sooner, and is that of the definition: straight between neighbours."""
    samples = list(range(count))[::-1]
    summary = profiling.summarise(samples)
    expected = [(count - 1) * percent / 100 for percent in (90, 95, 99)][:given] + [None] * (3 - given)
    assert [summary.p90, summary.p95, summary.p99] == pytest.approx(expected)
    assert (summary.std is None) == (count == 1)


# Timing


class Lab:
    """A clock and a model that works only when its result is asked for; notes what happens in which order."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.notes: list[Any] = []

    def clock(self) -> float:
        """Read the time."""
        self.notes.append("clock")
        return self.now_s

    def predict(self, batch: np.ndarray) -> SimpleNamespace:
        """Promise a result: the work is done when it becomes an array. A call takes 1 s, and an image 0.25 s more."""
        self.notes.append(("call", batch.shape, batch[:, 0, 0, 0].tolist()))

        def work(dtype: Any = None, copy: Any = None) -> np.ndarray:
            self.now_s += 1 + 0.25 * len(batch)
            self.notes.append("done")
            return np.zeros(len(batch))

        result = type("Result", (), {"__array__": lambda self, dtype=None, copy=None: work()})
        return result()


def called(images: np.ndarray, starts: list[int], size: int) -> list[Any]:
    """What a lab notes of calls from these images on, each waited for before the next."""
    batches = [images[start : start + size] for start in starts]
    return [note for batch in batches for note in (("call", batch.shape, batch[:, 0, 0, 0].tolist()), "done")]


def some_images(count: int) -> np.ndarray:
    """Images that can be told apart by their first number, of an unusual height and width."""
    return np.arange(count, dtype=np.float32)[:, None, None, None] * np.ones((1, 5, 7, 3), np.float32)


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(0, 12))
def test_time_online(timing, count, warmup):
    """Warm-up, clock, every image once and waited for, clock; warm-up starts again when images run out."""
    lab, images = Lab(), some_images(count)
    result = timing.time_online(lab.predict, images, warmup=warmup, clock=lab.clock)
    warm = called(images, [call % count for call in range(warmup)], 1)
    assert lab.notes == [*warm, "clock", *called(images, list(range(count)), 1), "clock"]
    assert result == pytest.approx((count, 1, 1.25 * count, 1250.0, 0.8))


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(1, 9), st.integers(0, 5))
def test_time_batches(timing, count, batch_size, warmup):
    """Warm-up with full batches only, where there are any; then all images once, the last batch as small as it is."""
    lab, images = Lab(), some_images(count)
    result = timing.time_batches(lab.predict, images, batch_size, warmup=warmup, clock=lab.clock)
    starts = list(range(0, count, batch_size))
    full = [start for start in starts if start + batch_size <= count] or starts
    warm = called(images, [full[call % len(full)] for call in range(warmup)], batch_size)
    assert lab.notes == [*warm, "clock", *called(images, starts, batch_size), "clock"]
    total_s = len(starts) + 0.25 * count
    assert result == pytest.approx((count, batch_size, total_s, 1000 * total_s / len(starts), count / total_s))


def test_sweeps(timing):
    """The online sweep takes the first images of each number; the batch sweep takes all images at each size; both warm up each time."""
    lab, images = Lab(), some_images(12)
    online = timing.online_sweep(lab.predict, images, (2, 12), warmup=1, clock=lab.clock)
    batches = timing.batch_sweep(lab.predict, images, (5, 12), warmup=1, clock=lab.clock)
    assert [(result.count, result.batch_size) for result in online] == [(2, 1), (12, 1)]
    assert [(result.count, result.batch_size) for result in batches] == [(12, 5), (12, 12)]
    sizes = [note[1][0] for note in lab.notes if note[0] == "call"]
    assert sizes == [1] * 3 + [1] * 13 + [5] + [5, 5, 2] + [12] * 2
    assert lab.notes.count("clock") == 8


# Training

eighths = st.lists(st.integers(1, 40).map(lambda number: number / 8), min_size=1, max_size=12)
"""Losses that float32 holds exactly, with many ties."""


def best_epoch_of(losses: list[float], min_delta: float) -> int:
    """The last epoch that improved, straight from the definition: it is below the one that improved before it, by more than min_delta."""
    if len(losses) == 1:
        return 1
    before = best_epoch_of(losses[:-1], min_delta)
    return len(losses) if losses[-1] < losses[before - 1] - min_delta else before


@settings(deadline=None)
@given(eighths, st.sampled_from([0.0, 0.125, 0.5]), st.integers(1, 4))
def test_early_stopping_by_definition(training, losses, min_delta, patience):
    """The training ends at the first epoch that lies patience epochs after the best of the epochs up to it."""
    ends = [epoch for epoch in range(1, len(losses) + 1) if epoch - best_epoch_of(losses[:epoch], min_delta) == patience]
    epochs_run = ends[0] if ends else len(losses)
    assert training.early_stopping(losses, min_delta, patience) == (epochs_run, best_epoch_of(losses[:epochs_run], min_delta))


@settings(deadline=None)
@given(eighths, st.sampled_from([0.0, 0.125, 0.5]), st.integers(1, 4))
def test_early_stopping_is_that_of_keras(training, losses, min_delta, patience):
    """Keras's own callback, fed with the same losses, stops after the same epoch and restores the same weights."""
    import keras

    weights = [0]
    trained = SimpleNamespace(
        stop_training=False, metrics=[], get_weights=lambda: list(weights), set_weights=lambda new: weights.__setitem__(0, new[0])
    )
    stopper = keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=min_delta, patience=patience, restore_best_weights=True)
    stopper.set_model(trained)
    stopper.on_train_begin()
    for epoch, loss in enumerate(losses):
        weights[0] = epoch + 1
        stopper.on_epoch_end(epoch, {"val_loss": loss})
        if trained.stop_training:
            break
    epochs_run = weights[0]
    stopper.on_train_end()
    assert training.early_stopping(losses, min_delta, patience) == (epochs_run, weights[0])


def scripted_model(losses: list[float]):
    """A compiled Keras model whose weight counts epochs and whose validation loss follows a script."""
    import keras
    import tensorflow as tf

    class Scripted(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(2, activation="softmax", kernel_initializer="zeros")
            self.dense.build((None, 1))
            self.built = True

        def call(self, inputs):
            return self.dense(inputs)

        def train_step(self, batch):
            self.dense.bias.assign_add(tf.ones(2))
            inputs, labels = batch
            self.compute_metrics(inputs, labels, self(inputs))
            return self.get_metrics_result()

        def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
            return {"loss": losses[self.epochs_trained - 1], "accuracy": 0.1 * self.epochs_trained}

        @property
        def epochs_trained(self) -> int:
            return int(self.dense.bias.numpy()[0])

    built = Scripted()
    built.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return built


@settings(max_examples=10, deadline=None)
@given(eighths.filter(lambda losses: len(losses) > 2), st.sampled_from([0.125, 0.5]), st.integers(1, 3))
def test_train_ends_with_the_best_weights(training, losses, min_delta, patience):
    """Under Keras's real fit, epochs, weights and history are those of early_stopping, whether the rule or the limit ended it."""
    trained = scripted_model(losses)
    one_batch = [(np.zeros((4, 1), np.float32), np.zeros(4, np.int32))]
    batches = _dataset(one_batch)
    history = training.train(trained, batches, batches, epochs=len(losses), min_delta=min_delta, patience=patience)
    epochs_run, best_epoch = training.early_stopping(losses, min_delta, patience)
    assert trained.epochs_trained == best_epoch
    assert list(history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert history["val_loss"] == losses[:epochs_run]
    assert {len(values) for values in history.values()} == {epochs_run}
    assert {type(value) for values in history.values() for value in values} == {float}


def _dataset(batches):
    """A tf.data dataset of these batches."""
    import tensorflow as tf

    images, labels = zip(*batches, strict=True)
    return tf.data.Dataset.from_tensor_slices((np.stack(images), np.stack(labels)))


def test_train_learns(training):
    """On a task that a line solves, with nothing scripted, accuracy rises and the weights are those of the lowest loss."""
    import keras

    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    inputs = random.normal(size=(10, 32, 4)).astype(np.float32)
    data = _dataset([(batch, (batch.sum(axis=1) > 0).astype(np.int32)) for batch in inputs])
    built = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    built.compile(optimizer=keras.optimizers.Adam(0.1), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = training.train(built, data, data, epochs=5, min_delta=0.0)
    assert history["accuracy"][-1] > 0.9
    assert built.evaluate(data, verbose=0)[0] == pytest.approx(min(history["val_loss"]), rel=1e-4)


def test_sweep(training):
    """Each setting has its own model, that model is the one evaluated, and limits go outside, batch sizes inside."""
    log: list[Any] = []

    def make_model() -> str:
        log.append("make")
        return f"model {log.count('make')}"

    def train(trained: str, train_data: str, val_data: str, *, epochs: int) -> dict[str, list[float]]:
        log.append((trained, train_data, val_data, epochs))
        return {"loss": [1.0] * (epochs - 1), "accuracy": [0.1 * epoch for epoch in range(1, epochs)]}

    def evaluate(trained: str, val_data: str) -> float:
        log.append((trained, val_data))
        return float(trained.split()[1])

    settings = training.sweep(
        make_model, lambda size: (f"train {size}", f"val {size}"), train, evaluate, epoch_limits=(3, 5), batch_sizes=(32, 64)
    )
    assert settings == [
        (32, 3, 2, pytest.approx(0.2), 1.0),
        (64, 3, 2, pytest.approx(0.2), 2.0),
        (32, 5, 4, pytest.approx(0.4), 3.0),
        (64, 5, 4, pytest.approx(0.4), 4.0),
    ]
    assert log[:6] == [
        "make",
        ("model 1", "train 32", "val 32", 3),
        ("model 1", "val 32"),
        "make",
        ("model 2", "train 64", "val 64", 3),
        ("model 2", "val 64"),
    ]


@settings(deadline=None)
@given(st.lists(st.integers(0, 20).map(lambda number: number / 16), min_size=1, max_size=12), st.sampled_from([0.0, 0.0625, 0.25]))
def test_epochs_needed(training, accuracies, tolerance):
    """No earlier epoch is good enough, and this one is."""
    needed = training.epochs_needed(accuracies, tolerance)
    enough = [accuracy >= max(accuracies) - tolerance for accuracy in accuracies]
    assert enough[needed - 1]
    assert not any(enough[: needed - 1])
