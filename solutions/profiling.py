"""Section 3, profiling: where the time of one image goes.

TensorFlow's profiler notes when each operation starts and how long it takes. The functions here record such a trace, and turn its
events into a table of layers and kernels. A kernel is the piece of machine code that does one operation. Names of kernel events read

    <scope>/<layer>/<operation>:<kernel>     for example     sequential_1/conv2_1/Relu:_MklNativeFusedConv2D

where Keras may add a number to the layer's name (conv2_1 is layer conv2). Events of other names (threads, scheduling, memory) are not
kernels of a layer.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2


class Event(NamedTuple):
    """One event of a trace."""

    name: str
    """What ran."""
    start_us: float
    """When it began, in microseconds after the first event of the trace."""
    duration_us: float
    """How long it took, in microseconds."""


class KernelRow(NamedTuple):
    """The time of one kernel in one layer."""

    layer: str
    """Name of the layer."""
    kernel: str
    """Name of the kernel, what stands after the colon."""
    duration_us: float
    """Its time in this layer, all its events together, in microseconds."""


class CriticalKernel(NamedTuple):
    """The kernel that takes longest."""

    layer: str
    """Name of the layer."""
    kernel: str
    """Name of the kernel."""
    share: float
    """Its part of the time of all rows, 0 ... 1."""


class Summary(NamedTuple):
    """What a set of samples says."""

    count: int
    """Number of samples."""
    mean: float
    """Arithmetic mean."""
    median: float
    """Middle sample, or the mean of the two in the middle."""
    std: float | None
    """Sample standard deviation (divides by count - 1); None for a single sample."""
    minimum: float
    """Smallest sample."""
    maximum: float
    """Largest sample."""
    p90: float | None
    """90th percentile; None with fewer than 64 samples."""
    p95: float | None
    """95th percentile; None with fewer than 130 samples."""
    p99: float | None
    """99th percentile; None with fewer than 662 samples."""


def load_events(log_dir: Path) -> list[Event]:
    """Read the newest trace under a folder. Given; nothing to do here.

    Args:
        log_dir: Folder that a trace was written to.

    Returns:
        The events of the CPU, ordered by their start.

    Raises:
        FileNotFoundError: There is no trace (*.xplane.pb) under log_dir.
    """
    files = sorted(Path(log_dir).rglob("*.xplane.pb"), key=lambda file: file.stat().st_mtime_ns)
    if not files:
        raise FileNotFoundError(f"Expected a trace (*.xplane.pb) under {log_dir}. Received: none; call capture_trace first")
    space = xplane_pb2.XSpace.FromString(files[-1].read_bytes())
    plane = next(plane for plane in space.planes if plane.name == "/host:CPU")
    # Whole picoseconds since 1970 until the first start is taken off: as floats they would lose what is being measured.
    timed = [
        (line.timestamp_ns * 1000 + event.offset_ps, event.duration_ps, plane.event_metadata[event.metadata_id].name)
        for line in plane.lines
        for event in line.events
    ]
    timed.sort()
    first = timed[0][0] if timed else 0
    return [Event(name, (start - first) / 1e6, duration / 1e6) for start, duration, name in timed]


def capture_trace(predict: Callable[[np.ndarray], tf.Tensor], image: np.ndarray, log_dir: Path, *, warmup: int = 3) -> None:
    """Record a trace of exactly one call of predict on one image.

    The first calls of a model are not like the rest: TensorFlow builds the graph, chooses kernels, gets memory. Make warmup calls with
    the same image first, outside the trace. A call may return before its work is done, so wait for the result (np.asarray) of every
    call, and of the traced one before the trace ends.

    Record with host_tracer_level=2 and python_tracer_level=0: kernels, but no Python calls, which would slow down what is measured.

    Args:
        predict: Takes a batch (1, height, width, 3) float32, gives (1, classes) probabilities.
        image: (height, width, 3) float32: one image, without a batch axis.
        log_dir: Folder to write to; the trace becomes log_dir/plugins/profile/<run>/<host>.xplane.pb.
        warmup: Number of calls before the trace, 0 or more.

    Not required: a return value; load_events reads the file.
    """
    # >>> your code
    batch = image[np.newaxis]
    for _ in range(warmup):
        np.asarray(predict(batch))
    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
    with tf.profiler.experimental.Profile(str(log_dir), options=options):
        np.asarray(predict(batch))  # inside: the trace must not end before the work does
    # <<< your code


def kernel_table(events: Sequence[Event], layer_names: Sequence[str]) -> list[KernelRow]:
    """Add up the time of each kernel in each layer.

    An event belongs to a layer when any part of its path (what stands before the colon, split at "/") is the layer's name, or the
    layer's name with "_" and a number. A part that is exactly a layer's name belongs to that layer: with layers named conv1 and
    conv1_1, the part conv1_1 is the second. Events of no layer are left out.

    Args:
        events: Events of a trace, in any order.
        layer_names: Names of the layers.

    Returns:
        A row for each layer and kernel that has an event, the longest time first. Several events of one kernel in one layer are
        one row, their durations added up.
    """
    # >>> your code
    totals: dict[tuple[str, str], float] = {}
    for event in events:
        path, _, kernel = event.name.partition(":")
        parts = path.split("/")
        # Exact names first: only what is no layer's name may be a layer's name with a number added.
        without_number = [re.sub(r"_\d+$", "", part) for part in parts]
        layer = next((part for part in [*parts, *without_number] if part in layer_names), None)
        if layer is not None and kernel:
            totals[layer, kernel] = totals.get((layer, kernel), 0.0) + event.duration_us
    rows = [KernelRow(layer, kernel, duration_us) for (layer, kernel), duration_us in totals.items()]
    return sorted(rows, key=lambda row: row.duration_us, reverse=True)
    # <<< your code


def critical_kernel(rows: Sequence[KernelRow]) -> CriticalKernel:
    """Find the kernel that takes longest: making any other one faster gains less.

    Args:
        rows: Rows of a kernel table, at least one, in any order.

    Returns:
        The row with the longest time, and its share: its time / the time of all rows together.
    """
    # >>> your code
    longest = max(rows, key=lambda row: row.duration_us)
    total_us = sum(row.duration_us for row in rows)
    return CriticalKernel(longest.layer, longest.kernel, longest.duration_us / total_us)
    # <<< your code


def end_to_end_us(events: Sequence[Event], layer_names: Sequence[str]) -> float:
    """Give the time from the start of the first kernel to the end of the last one.

    It is not the sum of the kernels: between two kernels time passes, and kernels on two threads overlap.

    Args:
        events: Events of a trace, in any order; at least one belongs to a layer.
        layer_names: Names of the layers; events of no layer (see kernel_table) do not count.

    Returns:
        Latest end minus earliest start, in microseconds.
    """
    # >>> your code
    # An event is a kernel of a layer exactly when it makes a row by itself.
    kernels = [event for event in events if kernel_table([event], layer_names)]
    start_us = min(event.start_us for event in kernels)
    # The last to end need not be the last to start.
    return max(event.start_us + event.duration_us for event in kernels) - start_us
    # <<< your code


def summarise(samples: Sequence[float]) -> Summary:
    """Describe a set of samples, and leave out what they are too few to say.

    The 99th percentile of ten samples would be the largest sample under another name. A percentile is given from 64 samples (90th),
    130 samples (95th) and 662 samples (99th); else it is None.

    Args:
        samples: Any numbers, at least one, in any order.

    Returns:
        The figures as Python floats, count as an integer. Percentiles interpolate linearly between neighbours, as np.percentile does.
    """
    # >>> your code
    values = np.asarray(samples, dtype=np.float64)
    count = len(values)

    def percentile(percent: int, needed: int) -> float | None:
        return float(np.percentile(values, percent)) if count >= needed else None

    return Summary(
        count=count,
        mean=float(values.mean()),
        median=float(np.median(values)),
        std=float(values.std(ddof=1)) if count > 1 else None,
        minimum=float(values.min()),
        maximum=float(values.max()),
        p90=percentile(90, 64),
        p95=percentile(95, 130),
        p99=percentile(99, 662),
    )
    # <<< your code
