"""One end of the channel: calls the other side, and answers its calls while it waits.

Messages are mappings: `{"call": id, "method": name, "params": {...}}`, `{"reply": id, "value": ...}`, `{"error": id, "what": {...}}`.
A call may come in while a reply is awaited (a clock that the student's code reads, say); it is answered at once, on the same stack.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any, Final

from grader.channel.frames import MAX_FRAME_BYTES, ByteReader, ByteWriter, read_frame, write_frame
from grader.channel.values import Reference, pack, unpack
from grader.errors import ChannelError, FrameError, ValueRefused

CHANNEL_VERSION: Final = 1
"""Version of messages and values. History: 1 (0.1.0), the first."""

MAX_TOLD: Final = 20
"""Parts of an error that are read; ours has 7."""

Handler = Callable[[str, dict[str, Any]], Any]


class RemoteError(Exception):
    """The other side answered a call with an error.

    Attributes:
        what: The error as data: `kind`, `type`, `message`, `where` and the like, all text.
    """

    def __init__(self, what: dict[str, str]) -> None:
        super().__init__(what.get("message", ""))
        self.what = what


class Refusal(Exception):
    """Raised by a handler to answer a call with an error as data."""

    def __init__(self, **what: str) -> None:
        super().__init__(what.get("message", ""))
        self.what = what


class Objects:
    """The live objects of one side that the other side holds references to.

    Args:
        owner: This side's name, `host` or `worker`.
        proxy: Makes a stand-in for an object of the other side.
        may_refer: Says which objects may be referred to; anything by default.
    """

    def __init__(self, owner: str, proxy: Callable[[Reference], Any], may_refer: Callable[[Any], bool] = lambda _: True) -> None:
        self.owner = owner
        self._proxy = proxy
        self._may_refer = may_refer
        self._objects: dict[int, Any] = {}
        self._numbers = itertools.count(1)

    def refer(self, value: Any) -> Reference:
        """Keeps an object and gives the reference that crosses in its place."""
        reference = getattr(value, "lab_reference", None)
        if isinstance(reference, Reference):
            return reference
        if not self._may_refer(value):
            raise ValueRefused(f"a value of type {type(value).__name__} cannot cross the channel")
        number = next(self._numbers)
        self._objects[number] = value
        return Reference(self.owner, number, type(value).__name__)

    def resolve(self, reference: Reference) -> Any:
        """Finds what a reference stands for: an object of this side, or a stand-in for one of the other."""
        if reference.owner != self.owner:
            return self._proxy(reference)
        try:
            return self._objects[reference.number]
        except KeyError:
            raise ValueRefused(f"no object has the number {reference.number}") from None


class Peer:
    """Calls the other side and answers its calls.

    Args:
        reader: Where frames come from.
        writer: Where frames go.
        objects: The live objects of this side.
        handler: Answers a call: `handler(method, params)`. What it returns crosses back; a `Refusal` crosses as an error; any
            other exception leaves `call` or `serve` on this side.
        writable: Whether arrays that arrive may be written to.
    """

    def __init__(self, reader: ByteReader, writer: ByteWriter, objects: Objects, handler: Handler, *, writable: bool = False) -> None:
        self._reader = reader
        self._writer = writer
        self._objects = objects
        self._handler = handler
        self._writable = writable
        self._numbers = itertools.count(1)
        # Reentrant: a call that comes in during a call is answered by the same thread. Other threads wait their turn.
        self._turn = threading.RLock()

    def call(self, method: str, **params: Any) -> Any:
        """Calls the other side and waits for its reply, answering its calls meanwhile.

        Raises:
            RemoteError: The other side answered with an error.
            ValueRefused: A parameter may not cross.
            ChannelError: The other side ended or broke the rules.
        """
        with self._turn:
            number = next(self._numbers)
            self._send({"call": number, "method": method, "params": params})
            while True:
                match self._receive():
                    # The types are looked at first: what came may be an array, whose == is no truth value.
                    case {"reply": int(reply), "value": value} if reply == number:
                        return value
                    case {"error": int(reply), "what": dict(what)} if reply == number:
                        raise RemoteError({str(key)[:40]: _told(text) for key, text in itertools.islice(what.items(), MAX_TOLD)})
                    case {"call": int(asked), "method": str(name), "params": dict(given)}:
                        self._answer(asked, name, given)
                    case other:
                        raise FrameError(f"expected a reply to call {number}, received {_outline(other)}")

    def serve(self) -> None:
        """Answers calls until the other side ends.

        Raises:
            ChannelError: The other side ended (`PeerGone`) or broke the rules.
        """
        while True:
            match self._receive():
                case {"call": int(number), "method": str(method), "params": dict(params)}:
                    self._answer(number, method, params)
                case other:
                    raise FrameError(f"expected a call, received {_outline(other)}")

    def _answer(self, number: int, method: str, params: dict[str, Any]) -> None:
        try:
            reply = self._packed_reply(number, self._handler(method, params))
        except Refusal as refusal:
            reply = pack({"error": number, "what": refusal.what}, self._objects.refer)
        except ChannelError as error:
            if not isinstance(error, ValueRefused):
                raise
            reply = pack({"error": number, "what": {"kind": "refused", "message": str(error)}}, self._objects.refer)
        with self._turn:
            self._write(reply)

    def _packed_reply(self, number: int, value: Any) -> bytes:
        try:
            reply = pack({"reply": number, "value": value}, self._objects.refer)
        except ValueRefused:
            raise
        except Exception as error:  # an object that only seems to be a tensor, or lies about its attributes
            raise ValueRefused(f"a value of type {type(value).__name__} cannot be read ({type(error).__name__})") from error
        if len(reply) > MAX_FRAME_BYTES:
            raise ValueRefused(f"a value of {len(reply)} bytes is too large; at most {MAX_FRAME_BYTES} bytes can be returned at once")
        return reply

    def _send(self, message: dict[str, Any]) -> None:
        self._write(pack(message, self._objects.refer))

    def _write(self, payload: bytes) -> None:
        try:
            write_frame(self._writer, payload)
        except FrameError as error:
            raise ValueRefused(str(error)) from error

    def _receive(self) -> Any:
        payload = read_frame(self._reader)
        try:
            return unpack(payload, self._objects.resolve, writable=self._writable)
        except ValueRefused as error:
            # The other side broke the rules; `ValueRefused` is left for what this side may not send.
            raise FrameError(str(error)) from error


def _told(text: Any) -> str:
    # What is no text may be large, and larger still when it is written out.
    return text[:8000] if isinstance(text, str) else str(text) if isinstance(text, int | float) else type(text).__name__


def _outline(message: Any) -> str:
    if isinstance(message, dict):
        return f"a mapping with {', '.join(str(key)[:20] for key in itertools.islice(message, 4)) or 'nothing'}"
    return type(message).__name__
