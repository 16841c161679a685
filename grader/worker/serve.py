"""A worker's main loop: takes calls from the trusted side, runs the submission, answers.

Run as `python -m grader.worker.serve --stdio` it is a plain subprocess that speaks over standard input and output; forked by the
zygote it is handed a socket.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import Any

from grader.channel.frames import ByteReader, ByteWriter
from grader.channel.peer import CHANNEL_VERSION, Objects, Peer, Refusal, RemoteError
from grader.channel.values import Reference
from grader.errors import ChannelError, PeerGone
from grader.worker.assignment import Assignment
from grader.worker.live import Live
from grader.worker.tools import TOOLS


class WorkerObjects(Objects):
    """The worker's live objects; a `Live` value is kept as what it holds."""

    def refer(self, value: Any) -> Reference:
        """Keeps an object and gives the reference that crosses in its place."""
        return super().refer(value.value if isinstance(value, Live) else value)


class HostFunction:
    """A function of the trusted side, called like any other: each call crosses the channel.

    Args:
        worker: The worker whose channel carries the call.
        reference: The function's reference.
    """

    def __init__(self, worker: Worker, reference: Reference) -> None:
        self._worker = worker
        self.lab_reference = reference
        self.__name__ = reference.kind

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function on the trusted side with arguments that may cross."""
        # The trusted side may look at how much was printed by now; a line without its end would still be here.
        for output in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                output.flush()
        try:
            return self._worker.peer.call("callback", function=self, args=list(args), kwargs=kwargs)
        except RemoteError as error:
            if error.what.get("kind") == "signature":
                raise TypeError(error.what["message"]) from None
            raise


class Worker:
    """Serves one submission over one channel.

    Args:
        reader: Where frames come from.
        writer: Where frames go.
    """

    def __init__(self, reader: ByteReader, writer: ByteWriter) -> None:
        objects = WorkerObjects("worker", proxy=lambda reference: HostFunction(self, reference))
        self.peer = Peer(reader, writer, objects, self._handle, writable=True)
        self._assignment: Assignment | None = None

    def serve(self) -> None:
        """Answers calls until the trusted side ends or ends the channel."""
        # What a student prints is read from outside, and the process may be killed at any time.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)
        with contextlib.suppress(PeerGone):
            self.peer.serve()

    def _handle(self, method: str, params: dict[str, Any]) -> Any:
        match method:
            case "hello":
                self._assignment = Assignment(Path(params["folder"]))
                os.chdir(params["scratch"])
                return {"channel": CHANNEL_VERSION, "pid": os.getpid()}
            case "call":
                return self._submission().call(params["module"], params["function"], tuple(params["args"]), params["kwargs"])
            case "tool":
                return self._tool(params["name"], params["args"], params["kwargs"])
        raise Refusal(kind="refused", message=f"no such method: {method}")

    def _tool(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        try:
            return TOOLS[name](*args, **kwargs)
        except (Refusal, ChannelError):
            raise
        except RemoteError as error:
            raise Refusal(**error.what) from error
        except BaseException as error:
            raise self._submission().refusal(error, "") from error

    def _submission(self) -> Assignment:
        if self._assignment is None:
            raise Refusal(kind="refused", message="expected hello before anything else")
        return self._assignment


def main() -> None:
    """Serves over standard input and output; what the submission prints goes to standard error."""
    reader = os.fdopen(os.dup(0), "rb")
    writer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    Worker(reader, writer).serve()
    # Threads that the submission left behind must not keep the process.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
