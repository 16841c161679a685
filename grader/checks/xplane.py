"""Reads a trace of TensorFlow's profiler (`*.xplane.pb`) on the trusted side, without TensorFlow.

The messages are declared here with the field numbers of tsl/profiler/protobuf/xplane.proto, as far as they are needed; a test holds
them against the installed TensorFlow. The file is data of a submission's: its size, its number of events, the length of their names and
their times are bounded, and what a name means is worked out once for each name, not for each event.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from grader.artifacts import MAX_TRACE_BYTES, MissingResults
from grader.errors import ResultsError
from grader.host.intake import harmless

MAX_EVENTS: Final = 200_000
MAX_NAME: Final = 1000
"""Characters of an event's name. The longest of a trace of the lab's network has 62 (TensorFlow 2.21)."""

MAX_FILES: Final = 200
MAX_DEPTH: Final = 6
MAX_PS: Final = 10**17
"""A day in picoseconds and more: no time of a trace is longer."""

CPU_PLANE: Final = "/host:CPU"

FIELDS: Final[Mapping[str, Mapping[str, tuple[int, str]]]] = {
    "XSpace": {"planes": (1, "XPlane*"), "errors": (2, "string*")},
    "XPlane": {"name": (2, "string"), "lines": (3, "XLine*"), "event_metadata": (4, "EventMetadataEntry*")},
    "EventMetadataEntry": {"key": (1, "int64"), "value": (2, "XEventMetadata")},
    "XEventMetadata": {"id": (1, "int64"), "name": (2, "string")},
    "XLine": {"name": (2, "string"), "timestamp_ns": (3, "int64"), "events": (4, "XEvent*")},
    "XEvent": {"metadata_id": (1, "int64"), "offset_ps": (2, "int64"), "duration_ps": (3, "int64")},
}
"""Message, field, its number and type; a star marks a repeated field. A map is a repeated message of key and value."""

_SCALARS: Final = {"int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64, "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING}


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """One event of a trace.

    Attributes:
        name: What ran.
        start_us: When it began, in microseconds after the first event.
        duration_us: How long it took, in microseconds.
    """

    name: str
    start_us: float
    duration_us: float


def read_trace(path: Path) -> list[TraceEvent]:
    """Reads the events of the CPU.

    Args:
        path: The trace. A link is not followed.

    Returns:
        The events, ordered by their start.

    Raises:
        MissingResults: There is no such file.
        ResultsError: It is not a plain file, too large, cut short, or not a trace as TensorFlow writes it.
    """
    space = space_class()()
    try:
        space.ParseFromString(_content(path))
    except (message.DecodeError, RecursionError, ValueError) as error:
        raise _damaged(path, "is cut short or is not a trace of TensorFlow's profiler") from error
    plane = next((plane for plane in space.planes if plane.name == CPU_PLANE), None)
    if plane is None:
        raise _damaged(path, f"has no events of the processor (no plane {CPU_PLANE})")
    if sum(len(line.events) for line in plane.lines) > MAX_EVENTS:
        raise _damaged(path, f"has more than {MAX_EVENTS} events")
    names = {entry.key: entry.value.name for entry in plane.event_metadata}
    if any(len(name) > MAX_NAME for name in names.values()):
        raise _damaged(path, f"is not as TensorFlow writes it (the name of an event has more than {MAX_NAME} characters)")
    # Whole picoseconds until the first start is taken off: as floats they would lose what is being measured.
    timed = sorted(
        (line.timestamp_ns * 1000 + event.offset_ps, event.duration_ps, names.get(event.metadata_id, ""))
        for line in plane.lines
        for event in line.events
    )
    first = timed[0][0] if timed else 0
    if any(not 0 <= duration <= MAX_PS or start - first > MAX_PS for start, duration, _ in timed):
        raise _damaged(path, "has an event of a time that cannot be")
    return [TraceEvent(name, (start - first) / 1e6, duration / 1e6) for start, duration, name in timed]


def traces_in(folder: Path) -> list[Path]:
    """Finds the traces under a folder, without following links.

    Args:
        folder: What a student's function was given as `log_dir`.

    Returns:
        The files, the newest last.
    """
    found: list[tuple[int, Path]] = []
    seen = 0
    for place, folders, files in os.walk(folder, followlinks=False):
        if len(Path(place).relative_to(folder).parts) >= MAX_DEPTH:
            folders.clear()
        seen += len(files) + len(folders)
        for name in files:
            path = Path(place, name)
            if name.endswith(".xplane.pb"):
                with suppress(OSError):  # a thread of the submission's may take it away meanwhile
                    status = path.lstat()
                    if stat.S_ISREG(status.st_mode):
                        found.append((status.st_mtime_ns, path))
        if seen > MAX_FILES:
            break
    return [path for _, path in sorted(found)]


def owner(name: str, layer_names: Collection[str]) -> tuple[str, str] | None:
    """The layer and kernel that an event belongs to, as the handout defines it.

    Args:
        name: The event's name.
        layer_names: Names of the layers.

    Returns:
        Layer and kernel; None for an event of no layer.
    """
    path, _, kernel = name.partition(":")
    parts = path.split("/")
    exact = [part for part in parts if part in layer_names]
    numbered = [] if exact else [stem for part in parts if (stem := re.sub(r"_\d+$", "", part)) in layer_names]
    return ((exact or numbered)[0], kernel) if kernel and (exact or numbered) else None


def owners(events: Sequence[TraceEvent], layer_names: Collection[str]) -> list[tuple[str, str] | None]:
    """The layer and kernel of each event; each name is looked at once, however many events have it.

    Args:
        events: Events of a trace.
        layer_names: Names of the layers.

    Returns:
        For each event what `owner` gives.
    """
    known = frozenset(layer_names)
    places = {name: owner(name, known) for name in {event.name for event in events}}
    return [places[event.name] for event in events]


def kernel_times(events: Sequence[TraceEvent], layer_names: Collection[str]) -> dict[tuple[str, str], float]:
    """Adds up the time of each kernel in each layer.

    Args:
        events: Events of a trace.
        layer_names: Names of the layers.

    Returns:
        Microseconds by layer and kernel.
    """
    totals: dict[tuple[str, str], float] = {}
    for event, place in zip(events, owners(events, layer_names), strict=True):
        if place is not None:
            totals[place] = totals.get(place, 0.0) + event.duration_us
    return totals


def span_us(events: Sequence[TraceEvent], layer_names: Collection[str]) -> float:
    """Time from the first kernel's start to the end of the last.

    Args:
        events: Events of a trace.
        layer_names: Names of the layers.

    Returns:
        Microseconds; 0 where no event belongs to a layer.
    """
    kernels = [event for event, place in zip(events, owners(events, layer_names), strict=True) if place]
    if not kernels:
        return 0.0
    return max(event.start_us + event.duration_us for event in kernels) - min(event.start_us for event in kernels)


def space_class() -> Any:
    """The class of a whole trace, made from `FIELDS`."""
    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto(name="lab/xplane.proto", package="lab.xplane", syntax="proto3")
    for name, fields in FIELDS.items():
        made = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            bare = kind.rstrip("*")
            label = (
                descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
                if kind.endswith("*")
                else descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
            )
            declared = made.field.add(name=field, number=number, label=label)
            if bare in _SCALARS:
                declared.type = _SCALARS[bare]
            else:
                declared.type, declared.type_name = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE, f".lab.xplane.{bare}"
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("lab.xplane.XSpace"))


def _content(path: Path) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise MissingResults(f"{path.name} is not there yet.") from None
    except OSError as error:
        raise _damaged(path, f"cannot be read ({error.strerror})") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _damaged(path, "is not a plain file")
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(MAX_TRACE_BYTES + 1)
    if len(content) > MAX_TRACE_BYTES:
        raise _damaged(path, f"has more than {MAX_TRACE_BYTES} bytes: a trace of one image has far fewer")
    return content


def _damaged(path: Path, what: str) -> ResultsError:
    return ResultsError(f"The trace {harmless(path.name)} {what}; record it again.")
