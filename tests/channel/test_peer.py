"""Frames, and two peers that call each other."""

from __future__ import annotations

import contextlib
import io
import socket
import struct
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.channel.frames import MAX_FRAME_BYTES, read_frame, write_frame
from grader.channel.peer import MAX_TOLD, Objects, Peer, Refusal, RemoteError
from grader.channel.values import Reference, pack
from grader.errors import ChannelError, FrameError, PeerGone, ValueRefused


@settings(deadline=None)
@given(payloads=st.lists(st.binary(max_size=200), max_size=5))
def test_frames_arrive_in_order(payloads: list[bytes]) -> None:
    """Frames are read as they were written, and then the end is told."""
    stream = io.BytesIO()
    for payload in payloads:
        write_frame(stream, payload)
    stream.seek(0)
    assert [read_frame(stream) for _ in payloads] == payloads
    with pytest.raises(PeerGone):
        read_frame(stream)


def test_large_frames_are_refused_before_they_are_read() -> None:
    """An announced gigabyte costs nothing; one byte over the limit is refused on both sides."""
    with pytest.raises(FrameError, match="announced"):
        read_frame(io.BytesIO(struct.pack(">I", 2**32 - 1)))
    with pytest.raises(FrameError, match="announced"):
        read_frame(io.BytesIO(struct.pack(">I", MAX_FRAME_BYTES + 1)))
    with pytest.raises(FrameError):
        write_frame(io.BytesIO(), bytes(MAX_FRAME_BYTES + 1))


@pytest.mark.parametrize("stream", [b"\0", b"\0\0\0", b"\0\0\0\x05abc"])
def test_cut_frames_are_refused(stream: bytes) -> None:
    """A frame that ends early is an error, not a short value."""
    with pytest.raises(FrameError):
        read_frame(io.BytesIO(stream))


class Line:
    """A host peer, and the raw other end of its channel."""

    def __init__(self) -> None:
        ours, self.other = socket.socketpair()
        reader, writer = ours.makefile("rb"), ours.makefile("wb")
        self.host = Peer(reader, writer, Objects("host", proxy=lambda reference: reference, may_refer=callable), self.answer)
        self._ends = (reader, writer, ours, self.other)
        self.asked: list[Any] = []

    def answer(self, method: str, params: dict[str, Any]) -> Any:
        """Notes what was asked."""
        self.asked.append((method, params))
        return len(self.asked)

    def close(self) -> None:
        """Closes both ends."""
        for end in self._ends:
            with contextlib.suppress(OSError):  # a writer may still hold what could not be sent
                end.close()


@pytest.fixture
def line() -> Iterator[Line]:
    """A channel with a hostile other end."""
    made = Line()
    yield made
    made.close()


def send(line: Line, *payloads: bytes) -> None:
    """Writes frames as the hostile end, and closes."""
    with line.other.makefile("wb") as writer:
        for payload in payloads:
            write_frame(writer, payload)
    line.other.shutdown(socket.SHUT_WR)


def refer(_: Any) -> Reference:
    """Every object is number 1 of the host."""
    return Reference("host", 1, "x")


@settings(deadline=None, max_examples=150)
@given(payload=st.binary(max_size=60))
def test_garbage_messages_raise_channel_errors_only(payload: bytes) -> None:
    """Whatever frame comes instead of a reply, the call ends with a ChannelError."""
    line = Line()
    try:
        send(line, payload)
        with pytest.raises(ChannelError):
            line.host.call("x")
    finally:
        line.close()


@pytest.mark.parametrize(
    "message",
    [
        {"reply": 2, "value": 1},
        {"reply": "1", "value": 1},
        {"reply": np.array([1, 1]), "value": 1},
        {"reply": np.zeros(0), "value": 1},
        {"reply": 1},
        {"error": 1, "what": "text"},
        {"error": np.array([1, 2]), "what": {}},
        {"call": 1, "method": 3, "params": {}},
        {"call": 1, "method": "x", "params": []},
        {"call": None, "method": "x", "params": {}},
        {},
        [],
        None,
        "reply",
        np.arange(5),
    ],
    ids=str,
)
def test_forged_messages_raise_channel_errors_only(line: Line, message: Any) -> None:
    """A reply to another call, or something that only looks like one, ends the call with a ChannelError."""
    send(line, pack(message, refer))
    with pytest.raises(ChannelError):
        line.host.call("x")


def test_reference_to_what_was_never_sent_is_refused(line: Line) -> None:
    """The other side cannot name objects of the host that it was not given."""
    send(line, pack({"reply": 1, "value": object()}, refer))
    with pytest.raises(FrameError, match="no object has the number 1"):
        line.host.call("x")


def test_errors_cross_as_text(line: Line) -> None:
    """An error answer is text of bounded length, whatever was sent."""
    send(line, pack({"error": 1, "what": {"kind": 5, "message": "x" * 100_000, "more": [1, 2]}}, refer))
    with pytest.raises(RemoteError) as caught:
        line.host.call("x")
    assert {type(text) for text in caught.value.what.values()} == {str}
    assert max(map(len, caught.value.what.values())) <= 8000


@pytest.mark.parametrize("message", [{"error": 1, "what": {"message": bytes(2**25)}}, {"other": bytes(2**25)}, [bytes(2**25)]], ids=type)
def test_what_is_wrong_is_not_written_out(line: Line, message: Any) -> None:
    """Bytes in the place of a message would be four times as long as text: only their kind is told."""
    tracemalloc.start()
    sender = threading.Thread(target=send, args=(line, pack(message, refer)))
    sender.start()
    try:
        with pytest.raises((ChannelError, RemoteError)) as caught:
            line.host.call("x")
        assert len(str(caught.value)) < 200
        assert tracemalloc.get_traced_memory()[1] < 5 * 2**25
    finally:
        tracemalloc.stop()
        sender.join()


def test_errors_have_few_parts(line: Line) -> None:
    """What else is in an error than what ours has is not read."""
    send(line, pack({"error": 1, "what": {str(number): "x" for number in range(1000)}}, refer))
    with pytest.raises(RemoteError) as caught:
        line.host.call("x")
    assert len(caught.value.what) == MAX_TOLD


def test_what_may_not_be_sent_leaves_the_channel_whole(line: Line) -> None:
    """A parameter that cannot cross is this side's own fault: nothing is sent, and the next call works."""
    with pytest.raises(ValueRefused):
        line.host.call("x", value=object())
    send(line, pack({"reply": 2, "value": "fine"}, refer))
    assert line.host.call("y") == "fine"


def test_the_end_is_told_as_such(line: Line) -> None:
    """A closed channel is PeerGone, when reading and when writing."""
    line.other.close()
    with pytest.raises(PeerGone):
        line.host.call("x")
    with pytest.raises(PeerGone):
        line.host.call("x", filler=bytes(2**22))


@contextlib.contextmanager
def pair(handle: Any) -> Iterator[Peer]:
    """A host peer whose other end answers with `handle(worker, method, params)`, in a thread."""
    ours, theirs = socket.socketpair()
    with (
        ours,
        theirs,
        ours.makefile("rb") as reader,
        ours.makefile("wb") as writer,
        theirs.makefile("rb") as far_reader,
        theirs.makefile("wb") as far_writer,
    ):
        worker = Peer(far_reader, far_writer, Objects("worker", proxy=lambda r: r), lambda method, params: handle(worker, method, params))

        def serve() -> None:
            with pytest.raises(PeerGone):
                worker.serve()

        thread = threading.Thread(target=serve)
        thread.start()
        yield Peer(reader, writer, Objects("host", proxy=lambda r: r), lambda _, params: params["f"](*params["args"]))
        ours.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_calls_nest() -> None:
    """A call is answered while a reply is awaited, many levels deep, and each reply finds its call."""

    def handle(worker: Peer, _: str, params: dict[str, Any]) -> Any:
        n = params["n"]
        return 0 if n == 0 else 1 + worker.call("down", f=params["f"], args=[n - 1])

    answers: list[int] = []
    with pair(handle) as host:

        def down(n: int) -> int:
            answers.append(n)
            result: int = host.call("x", n=n, f=down)
            return result

        assert host.call("x", n=12, f=down) == 12
    assert answers == list(range(11, -1, -1))


def test_refused_results_do_not_end_the_channel() -> None:
    """A result that cannot cross (too large, or an object that lies about being a tensor) is an error answer; the next call works."""

    class Lying:
        dtype = "float32"

        @property
        def shape(self) -> Any:
            raise RuntimeError("no shape")

        def numpy(self) -> Any:
            raise RuntimeError("no numbers")

    results = {"large": bytes(MAX_FRAME_BYTES), "lying": Lying(), "fine": 5}

    def handle(_: Peer, method: str, __: dict[str, Any]) -> Any:
        if method == "no":
            raise Refusal(kind="refused", message="no")
        return results[method]

    with pair(handle) as host:
        for method in ("large", "lying", "no"):
            with pytest.raises(RemoteError) as caught:
                host.call(method)
            assert caught.value.what["kind"] == "refused"
            assert host.call("fine") == 5


def test_other_extensions_never_become_objects(line: Line) -> None:
    """MessagePack's own timestamp, and extensions nobody knows, do not become anything that a check would trust."""
    send(line, msgpack.packb({"reply": 1, "value": msgpack.ExtType(9, b"x")}))
    with pytest.raises(ChannelError):
        line.host.call("x")
