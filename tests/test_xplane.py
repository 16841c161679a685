"""Reading traces on the trusted side: against TensorFlow's own reader, and against files that are none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grader.artifacts import MAX_TRACE_BYTES, MissingResults
from grader.checks import xplane
from grader.errors import ResultsError

RECORD = """
import sys
import numpy as np
import keras, tensorflow as tf
model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="alpha"), keras.layers.Conv2D(4, 3, name="beta")])
run = tf.function(lambda x: model(x, training=False))
x = tf.zeros((1, 8, 8, 3))
run(x)
with tf.profiler.experimental.Profile(sys.argv[1]):
    np.asarray(run(x))
"""

READ = """
import sys
from tensorflow.tsl.profiler.protobuf import xplane_pb2
for name, fields in eval(sys.argv[2]).items():
    owner = xplane_pb2.XPlane if name.endswith("Entry") else xplane_pb2
    descriptor = owner.DESCRIPTOR.nested_types_by_name[name] if name.endswith("Entry") else getattr(owner, name).DESCRIPTOR
    for field, (number, kind) in fields.items():
        real = descriptor.fields_by_name[field]
        wanted = {"int64": real.TYPE_INT64, "string": real.TYPE_STRING}.get(kind.rstrip("*"), real.TYPE_MESSAGE)
        assert (real.number, real.type) == (number, wanted), (name, field)
        assert real.message_type is None or real.message_type.name == kind.rstrip("*"), (name, field)
space = xplane_pb2.XSpace.FromString(open(sys.argv[1], "rb").read())
plane = next(plane for plane in space.planes if plane.name == "/host:CPU")
for line in plane.lines:
    for event in line.events:
        print(line.timestamp_ns * 1000 + event.offset_ps, event.duration_ps, plane.event_metadata[event.metadata_id].name, sep="\\t")
"""


@pytest.fixture(scope="module")
def trace(tmp_path_factory) -> Path:
    """A real trace of one call of a small network."""
    folder = tmp_path_factory.mktemp("trace")
    subprocess.run([sys.executable, "-c", RECORD, str(folder)], check=True, capture_output=True)
    found = xplane.traces_in(folder)[-1]
    assert found is not None
    return found


def test_agrees_with_tensorflow(trace):
    """Our declaration has TensorFlow's field numbers and types, and reads the same events from a real trace."""
    fields = {name: dict(fields) for name, fields in xplane.FIELDS.items()}
    read = subprocess.run([sys.executable, "-c", READ, str(trace), repr(fields)], check=True, capture_output=True, text=True)
    told = sorted((int(start), int(duration), name) for start, duration, name in (line.split("\t") for line in read.stdout.splitlines()))
    events = xplane.read_trace(trace)
    assert len(events) == len(told) > 10
    for event, (start, duration, name) in zip(events, told, strict=True):
        assert event == xplane.TraceEvent(name, (start - told[0][0]) / 1e6, duration / 1e6)


def test_kernels_of_a_real_trace(trace):
    """The kernels of both layers are found, and their span holds the longest of them."""
    events = xplane.read_trace(trace)
    times = xplane.kernel_times(events, ["alpha", "beta"])
    assert {layer for layer, kernel in times if "Conv2D" in kernel} == {"alpha", "beta"}
    assert max(times.values()) <= xplane.span_us(events, ["alpha", "beta"]) < 1e6


def test_reading_needs_no_tensorflow(trace):
    """The trusted side reads a trace without importing TensorFlow."""
    code = "import sys; from pathlib import Path; from grader.checks import xplane; xplane.read_trace(Path(sys.argv[1]))"
    ending = "; assert not [name for name in sys.modules if name.startswith('tensorflow')]"
    subprocess.run([sys.executable, "-c", code + ending, str(trace)], check=True)


@pytest.mark.parametrize(
    ("name", "layer_names", "expected"),
    [
        ("sequential_1/conv1_1/Relu:K", ["conv1"], ("conv1", "K")),
        ("sequential_1/conv1_1/Relu:K", ["conv1", "conv1_1"], ("conv1_1", "K")),
        ("sequential_1/conv1_1_1/Relu:K", ["conv1", "conv1_1"], ("conv1_1", "K")),
        ("sequential_1/conv10/Relu:K", ["conv1"], None),
        ("sequential_1/conv1/Relu", ["conv1"], None),
        ("ExecutorState::Process", ["conv1"], None),
        ("conv1:K", ["conv1"], ("conv1", "K")),
    ],
)
def test_owner_of_an_event(name, layer_names, expected):
    """An event belongs to a layer by a whole part of its path, exact names before numbered ones."""
    assert xplane.owner(name, layer_names) == expected


def _space(**event: int) -> bytes:
    space = xplane.space_class()()
    plane = space.planes.add(name=xplane.CPU_PLANE)
    plane.lines.add().events.add(**event)
    written: bytes = space.SerializeToString()
    return written


def _field(number: int, content: bytes) -> bytes:
    length, size = b"", len(content)
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no events of the processor"),
        (b"not a trace at all", "cut short or is not a trace"),
        (b"\xff" * 1000, "cut short or is not a trace"),
        (b"\n" * 100_000, "cut short or is not a trace|no events"),
        (b"\0" * (MAX_TRACE_BYTES + 1), "has more than"),
        (_field(1, _field(2, b"/host:CPU") + _field(3, b"\x22\0" * 300_000)), "more than 200000 events"),
        (_field(1, _field(2, b"/host:\xff")), "cut short or is not a trace"),
        (_space(duration_ps=-1), "time that cannot be"),
        (_space(duration_ps=2**62), "time that cannot be"),
    ],
    ids=["empty", "text", "ones", "newlines", "huge", "events", "not UTF-8", "negative", "long"],
)
def test_files_that_are_no_traces(tmp_path, content, words):
    """Whatever is handed in for a trace ends in one sentence."""
    path = tmp_path / "0.xplane.pb"
    path.write_bytes(content)
    with pytest.raises(ResultsError, match=words):
        xplane.read_trace(path)


def test_cut_at_any_place(trace, tmp_path):
    """A trace that was cut short is read as far as it is whole, or refused; nothing else happens."""
    content = trace.read_bytes()
    path = tmp_path / "0.xplane.pb"
    refused = 0
    for length in range(0, len(content), 37):
        path.write_bytes(content[:length])
        try:
            xplane.read_trace(path)
        except ResultsError:
            refused += 1
    assert refused > len(content) // 37 // 2


def test_links_and_folders_are_not_read(trace, tmp_path):
    """A link to a trace, a folder of that name and a missing file are refused; none is found in a search."""
    (tmp_path / "link.xplane.pb").symlink_to(trace)
    (tmp_path / "folder.xplane.pb").mkdir()
    (tmp_path / "elsewhere").symlink_to(trace.parent)
    os.mkfifo(tmp_path / "pipe.xplane.pb")
    assert xplane.traces_in(tmp_path) == []
    for name in ("link.xplane.pb", "folder.xplane.pb", "pipe.xplane.pb"):
        with pytest.raises(ResultsError, match=r"cannot be read|not a plain file"):
            xplane.read_trace(tmp_path / name)
    with pytest.raises(MissingResults):
        xplane.read_trace(tmp_path / "none.xplane.pb")


def test_newest_of_several(trace, tmp_path):
    """Of several traces the newest counts, as in the handout's load_events."""
    for number, name in enumerate(("b", "c", "a")):
        path = tmp_path / name / "x.xplane.pb"
        path.parent.mkdir()
        path.write_bytes(b"")
        os.utime(path, ns=(number, number))
    assert xplane.traces_in(tmp_path)[-1] == tmp_path / "a" / "x.xplane.pb"
