"""Length-prefixed frames over a byte stream: four bytes of length (big-endian), then the payload."""

from __future__ import annotations

import struct
from typing import Final, Protocol

from grader.errors import FrameError, PeerGone

MAX_FRAME_BYTES: Final = 64 * 2**20
"""Largest payload either side accepts: 1,300 float32 images of 64 x 64 x 3, far under what would hurt the trusted side."""

_HEADER: Final = struct.Struct(">I")


class ByteReader(Protocol):
    """What a frame is read from: a buffered binary file."""

    def read(self, size: int, /) -> bytes | None:
        """Up to `size` bytes; fewer only at the end of the stream."""


class ByteWriter(Protocol):
    """What a frame is written to: a buffered binary file."""

    def write(self, data: bytes, /) -> int | None:
        """Takes all of `data`."""

    def flush(self) -> None:
        """Sends what was written."""


def write_frame(writer: ByteWriter, payload: bytes) -> None:
    """Writes one frame and flushes.

    Args:
        writer: A buffered binary file.
        payload: At most `MAX_FRAME_BYTES`.

    Raises:
        FrameError: The payload is too large.
        PeerGone: The other side closed the stream.
    """
    if len(payload) > MAX_FRAME_BYTES:
        raise FrameError(f"a frame holds at most {MAX_FRAME_BYTES} bytes, received {len(payload)}")
    try:
        writer.write(_HEADER.pack(len(payload)))
        writer.write(payload)
        writer.flush()
    except (OSError, ValueError) as error:
        raise PeerGone("the other side closed the channel") from error


def read_frame(reader: ByteReader) -> bytes:
    """Reads one frame.

    Args:
        reader: A buffered binary file.

    Returns:
        The payload.

    Raises:
        FrameError: The frame is cut short, or announces more than `MAX_FRAME_BYTES`.
        PeerGone: The stream ended between two frames.
    """
    try:
        header = reader.read(_HEADER.size)
        if not header:
            raise PeerGone("the other side closed the channel")
        if len(header) < _HEADER.size:
            raise FrameError(f"a frame ended inside its header, after {len(header)} bytes")
        (length,) = _HEADER.unpack(header)
        if length > MAX_FRAME_BYTES:
            raise FrameError(f"a frame holds at most {MAX_FRAME_BYTES} bytes, one of {length} was announced")
        payload = reader.read(length) or b""
    except (OSError, ValueError) as error:
        raise PeerGone("the other side closed the channel") from error
    if len(payload) < length:
        raise FrameError(f"a frame of {length} bytes ended after {len(payload)}")
    return payload
