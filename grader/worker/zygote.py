"""The zygote: imports TensorFlow once, runs nothing, and forks a worker for each request.

Started with an inherited control socket (`--control FD`: a private zygote that ends with its host) or one that is bound and will listen
(`--listen FD`: a warm zygote that several runs share). A control connection is a Unix socket of kind SEQPACKET; each message is one
MessagePack mapping:

    host -> zygote   {"op": "fork", "limits": {...}, "room": {...}}  with two descriptors: the worker's channel, and the file for what it
                     prints; the room is confine.Room's fields
                     {"op": "kill", "pid": pid}
    zygote -> host   {"op": "ready", "warm_s": seconds, "layers": {name: why not, or empty}, "landlock": ABI, "jailed": in bubblewrap}
                     {"op": "forked", "pid": pid}
                     {"op": "ended", "pid": pid, "status": wait status, "peak_bytes": memory, "ran_s": ..., "waited_s": ...}, the last
                     two as seen when the host had it killed, and else 0
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import msgpack

from grader.channel.limits import Limits
from grader.channel.processor_time import ran_and_waited
from grader.channel.quiet import QUIET
from grader.worker import landlock
from grader.worker.confine import LAYERS, Layers, Room, available, become_worker_user, confine, prepare, usual_stacks

MESSAGE_BYTES = 4096
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36


def warm() -> None:
    """Imports what workers need. Nothing may run: one eager operation here makes the children hang."""
    os.environ.update(QUIET)
    import keras  # noqa: F401
    import PIL.Image  # noqa: F401
    import tensorflow as tf

    # Attribute access makes Keras and TensorFlow finish their lazy imports.
    _ = (tf.data.Dataset, tf.io.decode_jpeg, tf.profiler.experimental.start, tf.function)
    from tensorflow.tsl.profiler.protobuf import xplane_pb2  # noqa: F401

    import grader.worker.serve  # noqa: F401


class Zygote:
    """Serves control connections until the last one ends (private) or until told to stop (listening).

    Args:
        listener: A listening socket, or None.
        layers: What workers are confined with.
        told: What hosts are told of the confinement, beside "op" and "warm_s".
    """

    def __init__(self, listener: socket.socket | None, layers: Layers, told: dict[str, Any]) -> None:
        self._layers = layers
        self._told = told
        self._selector = selectors.DefaultSelector()
        self._listener = listener
        self._owners: dict[int, socket.socket] = {}
        self._times: dict[int, tuple[float, float]] = {}
        self._started = time.monotonic()
        self._warm_s = 0.0
        if listener is not None:
            self._selector.register(listener, selectors.EVENT_READ, "listener")
        self._wake_reader, wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        wake_writer.setblocking(False)
        self._wake_writer = wake_writer
        _become_subreaper()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_writer.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ, "children")

    def add(self, control: socket.socket) -> None:
        """Serves one more control connection."""
        self._selector.register(control, selectors.EVENT_READ, "control")
        self._tell(control, {"op": "ready", "warm_s": self._warm_s, **self._told})

    def run(self, warm_s: float) -> None:
        """Serves until there is nobody left to serve."""
        self._warm_s = warm_s
        while self._listener is not None or self._controls():
            for key, _ in self._selector.select():
                match key.data:
                    case "listener":
                        assert self._listener is not None
                        control, _ = self._listener.accept()
                        self.add(control)
                    case "children":
                        with contextlib.suppress(BlockingIOError):
                            self._wake_reader.recv(4096)
                        self._reap()
                    case "control":
                        assert isinstance(key.fileobj, socket.socket)
                        self._serve(key.fileobj)
        _end_children()

    def _controls(self) -> list[socket.socket]:
        return [
            key.fileobj for key in self._selector.get_map().values() if key.data == "control" and isinstance(key.fileobj, socket.socket)
        ]

    def _serve(self, control: socket.socket) -> None:
        descriptors: list[int] = []
        try:
            payload, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 4)
            request: dict[str, Any] = msgpack.unpackb(payload) if payload else {"op": "closed"}
            match request:
                case {"op": "fork", "limits": dict(limits), "room": dict(room)} if len(descriptors) == 2:
                    self._fork(control, Limits(**limits), Room(**room), *descriptors)
                case {"op": "kill", "pid": int(pid)}:
                    # It may have ended by itself, and its number may be another's by now.
                    if self._owners.get(pid) is control:
                        self._times.setdefault(pid, ran_and_waited(pid))
                        _kill(pid)
                case {"op": "stop"} if self._listener is not None:
                    self._close_listener()
                    self._drop(control)
                case _:
                    self._drop(control)
        except (OSError, ValueError, TypeError):
            self._drop(control)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _fork(self, control: socket.socket, limits: Limits, room: Room, channel: int, printed: int) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                self._become_worker(limits, room, channel, printed)
            except BaseException as error:
                # The last line that the worker prints is what its host is told.
                os.write(2, f"{type(error).__name__}: {error}\n".encode(errors="replace"))
            finally:
                os._exit(70)
        self._owners[pid] = control
        self._tell(control, {"op": "forked", "pid": pid})

    def _become_worker(self, limits: Limits, room: Room, channel: int, printed: int) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        kept = os.dup2(channel, 3, inheritable=False) if channel != 3 else 3
        os.closerange(4, 4096)
        confine(limits, self._layers, room)
        from grader.worker.serve import Worker

        # As files: a worker under seccomp has read and write, and none of the calls that are for sockets alone.
        Worker(os.fdopen(kept, "rb", 2**16), os.fdopen(kept, "wb", 2**16, closefd=False)).serve()
        for output in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                output.flush()
        os._exit(0)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            # The session of an ended worker may still hold processes that it started.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            control = self._owners.pop(pid, None)
            ran_s, waited_s = self._times.pop(pid, (0.0, 0.0))
            self._end_orphans()
            if control is not None:
                ended = {"pid": pid, "status": status, "peak_bytes": usage.ru_maxrss * 1024, "ran_s": ran_s, "waited_s": waited_s}
                self._tell(control, {"op": "ended", **ended})

    def _end_orphans(self) -> None:
        # What a worker left behind in a session of its own has become a child of the zygote. No worker is among the children that
        # nobody owns: those of a closed connection were killed already.
        for pid in _children():
            if pid not in self._owners:
                _kill(pid)

    def _tell(self, control: socket.socket, message: dict[str, Any]) -> None:
        try:
            control.send(msgpack.packb(message))
        except OSError:
            self._drop(control)

    def _drop(self, control: socket.socket) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(control)
        control.close()
        for pid in [pid for pid, owner in self._owners.items() if owner is control]:
            del self._owners[pid]
            _kill(pid)

    def _close_listener(self) -> None:
        assert self._listener is not None
        self._selector.unregister(self._listener)
        self._listener.close()
        self._listener = None


def _become_subreaper() -> None:
    """Makes processes whose parent ended children of this one, so that a daemon of a submission's can be found."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _children() -> list[int]:
    """Process ids of all children, those of threads too; empty where the kernel does not tell."""
    found: list[int] = []
    for place in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(pid) for pid in place.read_text().split()]
    return found


def _end_children(patience_s: float = 5.0) -> None:
    """Kills what is left and waits for its end; what these leave behind becomes a child in turn."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        for pid in _children():
            _kill(pid)
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.002)
        except ChildProcessError:
            return


def _kill(pid: int) -> None:
    # The pid is a child that was not reaped yet, so it cannot belong to somebody else. It may not have made its session yet.
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def main() -> None:
    """Starts a zygote as the module's docstring says."""
    parser = argparse.ArgumentParser(description=__doc__)
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--control", type=int, help="descriptor of an inherited control socket")
    group.add_argument("--listen", type=int, help="descriptor of a bound socket to listen at")
    parser.add_argument("--layers", nargs="*", default=(), choices=LAYERS, help="layers that workers get where they can be had")
    parser.add_argument("--tasks", type=int, default=0, help="threads that one worker may start, in about; 0 for no limit")
    parser.add_argument("--jailed", action="store_true", help="this runs inside bubblewrap")
    parser.add_argument("--become", action="store_true", help="become the worker's user first (for root)")
    options = parser.parse_args()
    started = time.monotonic()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the host, which closes the control connection
    if options.become:
        become_worker_user()
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # no worker may look into the zygote
    listener = socket.socket(fileno=options.listen) if options.listen is not None else None
    found = available() if options.layers else {}
    layers = prepare([name for name in options.layers if not found[name]], options.tasks)
    told = {"layers": {name: found[name] for name in options.layers}, "landlock": landlock.abi(), "jailed": options.jailed}
    usual_stacks()
    gc.disable()  # an import makes many objects and hardly any garbage: looking for it takes a sixth of the time
    warm()
    gc.collect()
    gc.freeze()  # pages of imported modules stay shared with the children
    gc.enable()
    if listener is not None:
        listener.listen()
    zygote = Zygote(listener, layers, told)
    if options.control is not None:
        zygote.add(socket.socket(fileno=options.control))
    zygote.run(time.monotonic() - started)
    os._exit(0)  # nothing is left to be done, and taking TensorFlow apart takes a while


if __name__ == "__main__":
    main()
