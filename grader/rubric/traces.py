"""Traces to be profiled and to be read: small networks with names of their own, and events drawn on the trusted side."""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from grader.checks.compare import Mistake, fail, integer, require, show
from grader.checks.xplane import TraceEvent, owner, owners, read_trace, traces_in

PICTURE_SHAPE: Final = (24, 24, 3)
OVERLOOKED: Final = "layers with a number that Keras added are overlooked"
BY_LAYER: Final = "kernels of one layer are thrown together: the table is keyed by layer alone"

_ONE_CALL: Final = "Make the warm-up calls first, then open the profiler, make one call, wait for its result, and close the profiler."
_LAZY: Final = "predict may return before its work is done: np.asarray(result) waits for it."
_RECORD: Final = "Record with tf.profiler.experimental and host_tracer_level=2, python_tracer_level=0."


class TracedCalls:
    """The calls that a student's `capture_trace` makes, as the trusted side sees them.

    Args:
        image: The image that is to be profiled.

    Attributes:
        shapes: Shape of each call's batch.
        waited: Numbers of the calls whose result was waited for.
        overtaken: Numbers of the calls whose result had not been waited for when the last call was made.
    """

    def __init__(self, image: npt.NDArray[np.float32]) -> None:
        self._image = image
        self.shapes: list[tuple[int, ...]] = []
        self.waited: set[int] = set()
        self.overtaken: set[int] = set()

    def predict(self, batch: Any) -> int:
        """Takes a batch and gives the call's number."""
        wanted = f"expected: shape (1, {', '.join(str(size) for size in self._image.shape)})"
        if not isinstance(batch, np.ndarray) or batch.dtype.kind != "f":
            fail("capture_trace should call predict with the image as a float32 array", wanted, f"received: {show(batch)}")
        if batch.dtype != np.float32:
            fail(
                f"capture_trace calls predict with a {batch.dtype} array, not with a float32 one",
                wanted,
                f"received: {show(batch)}",
                help="Pass the image as it is: with another dtype TensorFlow builds another graph, or converts the batch first.",
            )
        if batch.shape == self._image.shape:
            fail(
                "capture_trace calls predict with an image that has no batch axis",
                wanted,
                f"received: shape {batch.shape}",
                help="image[np.newaxis] is a batch of one image.",
            )
        if batch.shape != (1, *self._image.shape):
            fail("capture_trace calls predict with a batch of the wrong shape", wanted, f"received: shape {batch.shape}")
        if not np.array_equal(batch[0], self._image):
            fail("capture_trace calls predict with another image than the one passed", help="Warm up with the same image, unchanged.")
        number = len(self.shapes)
        if number >= 1000:
            fail("capture_trace calls predict more than 1000 times", help="Look for a loop that never ends.")
        self.overtaken = set(range(number)) - self.waited
        self.shapes.append(batch.shape)
        return number

    def wait(self, number: Any) -> None:
        """Notes that a result is waited for: the network runs next."""
        call = integer(number, "the number of the result that is waited for")
        require(0 <= call < len(self.shapes), "a result was waited for that no call gave")
        self.waited.add(call)


def draw_network(rng: np.random.Generator) -> list[dict[str, Any]]:
    """A small network whose layers have names that no other run has.

    Args:
        rng: Random numbers.

    Returns:
        Layers as `tools.make_network` takes them.
    """

    def name(kind: str) -> str:
        return f"{kind}_{''.join(rng.choice(list('abcdefghijklmnopqrstuvwxyz'), 6))}"

    def convolution() -> dict[str, Any]:
        return {"kind": "Conv2D", "name": name("conv"), "filters": int(rng.integers(4, 9)), "kernel_size": 3, "activation": "relu"}

    return [
        convolution(),
        convolution(),
        {"kind": "MaxPooling2D", "name": name("pool"), "pool_size": 2},
        *(convolution() for _ in range(int(rng.integers(1, 3)))),
        {"kind": "Flatten", "name": name("flat")},
        {"kind": "Dense", "name": name("dense"), "units": 10, "activation": "softmax"},
    ]


def right_trace(calls: TracedCalls, folder: Path, layers: Sequence[dict[str, Any]], warmup: int) -> None:
    """Holds that `capture_trace` made the calls asked for, and left a trace of the last one alone.

    Args:
        calls: What it called.
        folder: Where the trace should be.
        layers: The network's layers.
        warmup: Warm-up calls that were asked for.

    Raises:
        CheckFailed: It is not so; the mistake is named where it is known.
    """
    _right_calls(calls, warmup)
    found = traces_in(folder)
    if not found:
        fail("capture_trace leaves no trace under log_dir", "expected: log_dir/plugins/profile/<run>/<host>.xplane.pb", help=_RECORD)
    if len(found) > 1:
        fail(
            f"capture_trace leaves {len(found)} traces under log_dir: other calls than the last are recorded too",
            "expected: one trace, of the one call after the warm-up",
            help=_ONE_CALL,
        )
    events = read_trace(found[0])
    convolutions = [layer["name"] for layer in layers if layer["kind"] == "Conv2D"]
    runs = dict.fromkeys(convolutions, 0)
    for place in owners(events, convolutions):
        if place is not None and "Conv2D" in place[1]:
            runs[place[0]] += 1
    counted = f"runs of each convolution's kernel in the trace (warmup = {warmup}): {', '.join(f'{k}: {n}' for k, n in runs.items())}"
    if not any(runs.values()):
        fail(
            "the trace holds no kernel of any convolution: the call, or the wait for its result, lies outside the trace",
            counted,
            f"events in the trace: {len(events)}",
            help=f"{_ONE_CALL} {_LAZY} {_RECORD}",
        )
    most = max(runs.values())
    if most == warmup + 1 > 1:
        fail("the warm-up lies inside the trace", counted, help=_ONE_CALL)
    require(most == 1, f"the trace holds {most} calls, not one", counted, help=_ONE_CALL)
    require(
        min(runs.values()) == 1, "the trace ends before the work is done: kernels of some convolutions are missing", counted, help=_LAZY
    )
    last = layers[-1]["name"]
    if not any(owners(events, [last])):
        fail("the trace ends before the work is done: it has no kernel of the last layer", f"last layer: {last}", help=_LAZY)


def right_places(folders: Sequence[Path]) -> None:
    """Holds that traces lie where the handout says: log_dir/plugins/profile/<run>/<host>.xplane.pb.

    Args:
        folders: What `capture_trace` was given as `log_dir`, each with one trace under it.

    Raises:
        CheckFailed: It is not so; most of the points are left. It comes last, so that it hides no other mistake.
    """
    for folder in folders:
        for path in traces_in(folder):
            place = path.relative_to(folder)
            if place.parts[:2] != ("plugins", "profile") or len(place.parts) != 4:
                fail(
                    "the trace is written to a folder within log_dir, not to log_dir itself",
                    "expected: log_dir/plugins/profile/<run>/<host>.xplane.pb",
                    f"received: log_dir/{show(place.as_posix(), kind=False)[1:-1]}",
                    help="Pass log_dir itself to the profiler, which adds plugins/profile/<run>: str(log_dir).",
                    earned=0.75,
                )


def _right_calls(calls: TracedCalls, warmup: int) -> None:
    found = len(calls.shapes)
    sides = (f"expected: {warmup + 1} calls of predict, warmup = {warmup} and the traced one", f"received: {found}")
    if found == 0:
        fail("capture_trace never calls predict", *sides)
    if found == 1 and warmup:
        fail("there is no warm-up: the only call is the traced one", *sides, help="The first call builds the graph and takes far longer.")
    if found == warmup and warmup:
        fail("one call too few: the traced call comes after warmup calls, it is not one of them", *sides)
    require(found == warmup + 1, "capture_trace makes the wrong number of calls", *sides, help=_ONE_CALL)
    if warmup and (late := [call for call in range(warmup) if call in calls.overtaken]):
        fail("the results of warm-up calls are not waited for", f"not waited for when the traced call was made: {late}", help=_LAZY)
    require(warmup in calls.waited, "the result of the traced call is never waited for: the trace ends before the work is done", help=_LAZY)


_LAYERS: Final = (
    ("conv1", "conv2", "pool1", "dense1"),
    ("conv1", "conv1_1", "conv2"),
    ("conv1", "conv10", "conv100"),
    ("conv", "conv_1", "conv_2", "dense"),
)
_SCOPES: Final = ("sequential_1", "functional_3/block_a", "StatefulPartitionedCall/network_2")
_NUMBERS: Final = ("", "_1", "_2", "_17")
_KERNELS: Final = ("_FusedConv2D", "ReadVariableOp", "_MklNativeFusedConv2D", "MaxPool")
_OPERATIONS: Final = ("Relu", "convolution/ReadVariableOp")
_OTHERS: Final = (
    "ThreadpoolListener::Record",
    "ExecutorState::Process",
    "EagerLocalExecute: __inference_predict_102",
    "tf.constant",
    "sequential_1/dropout_1/dropout/Mul:Mul",
    "functional_3/flatten/Reshape:Reshape",
    "sequential_1/my_conv1/Relu:_FusedConv2D",
    "sequential_1/conv1_bias/BiasAdd:BiasAdd",
    "sequential_1/conv12/Relu:_FusedConv2D",
)
"""Events of no layer; some have a layer's name in their own."""

_TELLING_NAMES: Final = (
    "sequential_1/conv.1_3/Relu:_FusedConv2D",
    "sequential_1/convx1_2/Relu:_FusedConv2D",
    "sequential_1/conv10/Relu",
    "sequential_1/conv10:_FusedConv2D",
    "sequential_1/dense_17/BiasAdd:_FusedMatMul",
    "sequential_1/conv1_2/Relu:_FusedConv2D",
    "sequential_1/conv1_1/Relu:_FusedConv2D",
    "sequential_1/conv1_1_1/Relu:_FusedConv2D",
    "sequential_1/conv10/Relu:_FusedConv2D",
    "sequential_1/conv10_1/Relu:MaxPool",
    "sequential_1/my_conv1/Relu:_FusedConv2D",
    "sequential_1/dense/BiasAdd:_FusedMatMul",
    "sequential_1/dense/BiasAdd:_FusedMatMul",
    "sequential_1/dense/Softmax:Softmax",
    "sequential_1/dense7/BiasAdd:_FusedMatMul",
)
TELLING: Final = (
    [{"name": name, "start_us": 1.0 * place, "duration_us": 2.0**place} for place, name in enumerate(_TELLING_NAMES)],
    ["conv1", "conv1_1", "conv10", "dense", "conv.1"],
)
"""Events and names of layers from which every known mistake makes another table: what a function makes of them tells which it has."""


def _case(layer_name: str, *names: str) -> tuple[list[dict[str, Any]], list[str]]:
    return [{"name": name, "start_us": 10.0 * place, "duration_us": 2.0 + 4.0 * place} for place, name in enumerate(names)], [layer_name]


ODD_NAMES: Final = (
    _case("conv1", "sequential_1/conv1_2:_FusedConv2D"),
    _case("conv.1", "sequential_1/conv.1_2/Relu:_FusedConv2D", "sequential_1/convx1_2/Relu:_FusedConv2D"),
    _case("dense", "sequential_1/dense_2/BiasAdd:_FusedMatMul", "sequential_1/dense7/BiasAdd:_FusedMatMul"),
)
"""Events and names of layers that are drawn too seldom: the layer as the last part, a dot in the layer's name, a number without "_"."""


_PLACES: Final = [(f"conv_{letter}", kernel) for letter in string.ascii_lowercase for kernel in _KERNELS]
LONG_TRACE: Final = (
    [
        {"name": f"sequential_1/{layer}/Relu:{kernel}", "start_us": 16.0 * place, "duration_us": 1.0 + 37 * place % len(_PLACES) / 8}
        for place, (layer, kernel) in enumerate(_PLACES)
    ],
    sorted({layer for layer, _ in _PLACES}),
)
"""More events, each of a row of its own, than anybody shows of a trace."""

LONG_TABLE: Final = [
    {"layer": layer, "kernel": kernel, "duration_us": 1.0 + place / 8} for place, (layer, kernel) in enumerate(_PLACES, start=1)
]
"""More rows than anybody shows of a table, the longest of them last."""


def _kernel_names(layer_names: Sequence[str]) -> st.SearchStrategy[str]:
    parts = itertools.product(_SCOPES, layer_names, _NUMBERS, _OPERATIONS, _KERNELS)
    return st.sampled_from([f"{scope}/{layer}{number}/{operation}:{kernel}" for scope, layer, number, operation, kernel in parts])


_EIGHTHS: Final = st.integers(0, 800).map(lambda number: number / 8)
_NAMES: Final = tuple((layer_names, _kernel_names(layer_names)) for layer_names in _LAYERS)
_ROWS: Final = st.lists(st.tuples(st.sampled_from(_LAYERS[0]), st.sampled_from(_KERNELS)), min_size=1, max_size=7, unique=True)
_ROW_TIMES: Final = st.lists(st.integers(1, 8000), min_size=7, max_size=7, unique=True)


@st.composite
def draw_event_rows(draw: Callable[..., Any], *, with_kernels: bool = False) -> tuple[list[dict[str, Any]], list[str]]:
    """Events of a trace and the names of the layers. Times are eighths, so that sums are exact.

    Args:
        draw: Draws from a strategy.
        with_kernels: Whether at least one event belongs to a layer.

    Returns:
        Fields of the events, and the names.
    """
    layer_names, kernel_names = draw(st.sampled_from(_NAMES))
    names = draw(st.lists(kernel_names, min_size=int(with_kernels), max_size=8))
    names += draw(st.lists(st.sampled_from(names), max_size=3)) if names else []
    names += draw(st.lists(st.sampled_from(_OTHERS), max_size=3))
    begin_us = draw(st.sampled_from([0.0, 0.0, 2.0**20]))  # a trace may begin long before the call
    rows = [{"name": name, "start_us": begin_us + draw(_EIGHTHS), "duration_us": draw(_EIGHTHS) + 0.125} for name in names]
    return draw(st.permutations(rows)), list(layer_names)


@st.composite
def draw_kernel_rows(draw: Callable[..., Any]) -> list[dict[str, Any]]:
    """Rows of a kernel table in any order, with times that all differ.

    Args:
        draw: Draws from a strategy.

    Returns:
        Fields of the rows.
    """
    rows = zip(draw(_ROWS), draw(_ROW_TIMES), strict=False)
    return [{"layer": layer, "kernel": kernel, "duration_us": eighths / 8} for (layer, kernel), eighths in rows]


def wrong_tables(events: Sequence[TraceEvent], layer_names: Sequence[str]) -> list[Mistake]:
    """The rows that known mistakes make of a trace.

    Args:
        events: Events of the trace.
        layer_names: Names of the layers.

    Returns:
        Sorted rows (layer, kernel, microseconds) with the mistake's name.
    """
    owned = [(place, event.duration_us) for event in events if (place := owner(event.name, layer_names))]
    only_layer: dict[str, tuple[str, float]] = {}
    for (layer, kernel), us in owned:
        only_layer[layer] = (only_layer.get(layer, (kernel, 0.0))[0], only_layer.get(layer, (kernel, 0.0))[1] + us)
    last_kernel = {layer: kernel for (layer, kernel), _ in owned}
    key = "Key it by layer and kernel."
    mistakes = [
        Mistake(_summed(events, layer_names, _exact), OVERLOOKED, "Keras may add a number: part conv2_1 is layer conv2."),
        Mistake(
            _summed(events, layer_names, _number_off_first),
            "a layer whose own name ends in a number is taken for another one: the number is taken off first",
            "A part that is exactly a layer's name belongs to that layer; with layers conv1 and conv1_1, conv1_1 is the second.",
        ),
        Mistake(
            _summed(events, layer_names, _substring),
            "a layer's name is looked for anywhere in the event's name: conv10 is not conv1",
            "Compare whole parts of the path, split at '/'.",
        ),
        Mistake(
            _summed(events, layer_names, _prefix),
            "a part that only begins with a layer's name is taken for the layer: conv10 is not conv1",
            "Compare whole parts of the path, split at '/'.",
        ),
        Mistake([(layer, kernel, us) for layer, (kernel, us) in only_layer.items()], BY_LAYER, key),
        Mistake([(layer, last_kernel[layer], us) for layer, (_, us) in only_layer.items()], BY_LAYER, key),
        Mistake(
            [(*place, us) for place, us in owned],
            "events of one kernel in one layer are not added up: each has a row of its own",
            "One row a layer and kernel, with the sum of the durations.",
        ),
        Mistake(
            [(*place, us) for place, us in dict(owned).items()],
            "of several events of one kernel only the last one counts",
            "Add the durations up.",
        ),
        Mistake(
            _summed(events, layer_names, _not_the_last),
            "the last part of the path is never looked at: it can be the layer's name too",
            "Look at every part of what stands before the colon.",
        ),
        Mistake(
            _summed(events, layer_names, _as_pattern),
            "a layer's name is used as a pattern: its dot then stands for any character",
            "re.escape(name) makes a pattern that fits the name itself.",
        ),
        Mistake(
            _summed(events, layer_names, _one_digit),
            "a number of two digits that Keras added is overlooked: conv2_17 is layer conv2",
            r"The number may have several digits: _\d+, not _\d.",
        ),
        Mistake(
            _summed(events, layer_names, _digits_off),
            'digits are taken off a part without the "_" before them: dense7 is not dense',
            'Keras adds "_" and a number: dense_7 is layer dense, dense7 is another layer.',
        ),
    ]
    return [Mistake(sorted(mistake.value), mistake.summary, mistake.help) for mistake in mistakes]


Belongs = Callable[[str, Sequence[str]], "tuple[str, str] | None"]


def _summed(events: Sequence[TraceEvent], layer_names: Sequence[str], belongs: Belongs) -> list[tuple[str, str, float]]:
    totals: dict[tuple[str, str], float] = {}
    for event in events:
        place = belongs(event.name, layer_names)
        if place is not None:
            totals[place] = totals.get(place, 0.0) + event.duration_us
    return [(layer, kernel, us) for (layer, kernel), us in totals.items()]


def _first(name: str, fits: Callable[[str], str | None]) -> tuple[str, str] | None:
    path, _, kernel = name.partition(":")
    layer = next((layer for part in path.split("/") if (layer := fits(part))), None)
    return (layer, kernel) if layer and kernel else None


def _exact(name: str, layer_names: Sequence[str]) -> tuple[str, str] | None:
    return _first(name, lambda part: part if part in layer_names else None)


def _number_off_first(name: str, layer_names: Sequence[str]) -> tuple[str, str] | None:
    def fits(part: str) -> str | None:
        return next((form for form in (re.sub(r"_\d+$", "", part), part) if form in layer_names), None)

    return _first(name, fits)


def _not_the_last(name: str, layer_names: Sequence[str]) -> tuple[str, str] | None:
    path, _, kernel = name.partition(":")
    return owner(f"{path.rpartition('/')[0]}:{kernel}", layer_names)


def _as_pattern(name: str, layer_names: Sequence[str]) -> tuple[str, str] | None:
    return owner(name, layer_names) or _first(
        name, lambda part: next((layer for layer in layer_names if re.fullmatch(rf"{layer}_\d+", part)), None)
    )


def _one_digit(name: str, layer_names: Sequence[str]) -> tuple[str, str] | None:
    return _exact(name, layer_names) or _first(name, lambda part: stem if (stem := re.sub(r"_\d$", "", part)) in layer_names else None)


def _digits_off(name: str, layer_names: Sequence[str]) -> tuple[str, str] | None:
    def fits(part: str) -> str | None:
        return stem if (stem := part.rstrip("0123456789").rstrip("_")) in layer_names else None

    return _exact(name, layer_names) or _first(name, fits)


def _substring(name: str, layer_names: Sequence[str]) -> tuple[str, str] | None:
    kernel = name.partition(":")[2]
    layer = next((layer for layer in layer_names if layer in name), None)
    return (layer, kernel) if layer and kernel else None


def _prefix(name: str, layer_names: Sequence[str]) -> tuple[str, str] | None:
    return _first(name, lambda part: next((layer for layer in layer_names if part.startswith(layer)), None))
