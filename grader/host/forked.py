"""Workers that are forks of a zygote (Linux), in the best jail that the machine gives."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final, cast

import msgpack

from grader.channel.limits import Limits
from grader.errors import SetupError
from grader.host import jail, limits, scratch
from grader.host.jail import Isolation, Jail, Tier
from grader.host.process import REAP_S, Exit, Launcher, WorkerProcess
from grader.host.room import Room, make_rooms
from grader.host.warm import connect_warm, rooms_folder

READY_S: Final = 120.0
"""Longest wait for a zygote's TensorFlow import: 2 to 6 s when compiled, 13 s when not, more on a cold disk."""


class ZygoteLauncher(Launcher):
    """Forks workers from a zygote: a warm one that listens, or a private one that is started here.

    Args:
        tier: The highest tier to use; by default $LAB_TIER, or the best that the machine gives.
        devices: Whether workers may use GPUs, which no jail lets through: `lab measure` on a person's own machine.
    """

    fresh = True

    def __init__(self, tier: str | None = None, *, devices: bool = False) -> None:
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ended: dict[int, Exit] = {}
        self._told: dict[str, Any] | None = None
        self._gone = False
        self._wanted = tier
        self._devices = devices
        self._own_rooms: Path | None = None
        self._jail: Jail | None = None
        self._last_words = ""
        self.warm = False
        self._connect()

    @property
    def ready(self) -> bool:
        """Whether the zygote has told that it is ready, or that it never will be."""
        return self._told is not None or self._control is None or bool(select.select([self._control], [], [], 0)[0])

    @property
    def isolation(self) -> Isolation:
        """How workers are kept apart, as the zygote has found it."""
        self._wait_until_ready()
        assert self._jail is not None
        assert self._told is not None
        return jail.judge(self._jail, self._told)

    def start(self, limits: Limits, room: Room) -> WorkerProcess:
        """Forks a worker; a zygote that has gone is started again once."""
        for attempt in (1, 2):
            try:
                return self._fork(limits, room)
            except (OSError, SetupError):
                if attempt == 2:
                    raise
                self._disconnect()
                self._connect()
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Closes the control connection: the zygote ends the workers of this launcher, and itself if it is private."""
        self._disconnect()
        if self._own_rooms is not None:
            scratch.remove(self._own_rooms)
            self._own_rooms = None

    def _disconnect(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            if self._told is None:
                self._process.kill()  # nobody waited for it, so it has no worker yet that it would have to end
            try:
                self._process.wait(REAP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stderr is not None:
                self._process.stderr.close()
            self._process = None

    def _connect(self) -> None:
        self._ended.clear()
        self._told = None
        self._gone = False
        self._jail = jail.choose(Tier.C if self._devices else self._wanted)
        self._control = None if self._devices else connect_warm(self._jail)
        self.warm = self._control is not None
        if self.warm:
            self.rooms = rooms_folder(self._jail)
            return
        if self._own_rooms is None:
            self._own_rooms = make_rooms()
        self.rooms = self._own_rooms
        self._control, self._process = _start_zygote(self._jail, self.rooms, devices=self._devices)

    def _wait_until_ready(self) -> None:
        if self._told is not None:
            return
        try:
            self._told = self._expect("ready", READY_S)
        except SetupError as error:
            if self._jail is None or self._jail.bubblewrap is None or self._process is None:
                raise
            # bubblewrap works here and the zygote in it does not: a path of this machine's that is not seen inside.
            self._disconnect()
            self._jail = Jail(None, False, self._jail.layers, (f"the zygote does not start inside bubblewrap: {error}",))
            self._control, self._process = _start_zygote(self._jail, self.rooms, devices=self._devices)
            self._told = self._expect("ready", READY_S)

    def _fork(self, limits: Limits, room: Room) -> WorkerProcess:
        if self._control is None:
            raise OSError("no zygote")
        self._wait_until_ready()
        assert self._control is not None
        printed = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        ours, theirs = socket.socketpair()
        with theirs:
            folders = {"submission": str(room.submission), "given": str(room.given), "scratch": str(room.scratch)}
            request = msgpack.packb({"op": "fork", "limits": asdict(limits), "room": folders})
            try:
                socket.send_fds(self._control, [request], [theirs.fileno(), printed.fileno()])
                pid = self._expect("forked", REAP_S)["pid"]
            except BaseException:
                ours.close()
                printed.close()
                raise
        self._ended.pop(pid, None)  # of an earlier process with this number
        return _ForkedWorker(self, pid, ours, printed)

    def _expect(self, op: str, timeout_s: float) -> dict[str, Any]:
        for message in self._messages(timeout_s):
            if message.get("op") == op:
                return message
        raise SetupError(self._why())

    def _messages(self, timeout_s: float) -> Iterator[dict[str, Any]]:
        assert self._control is not None
        self._control.settimeout(timeout_s)
        while True:
            try:
                payload = self._control.recv(4096)
            except TimeoutError:
                return
            except OSError:
                payload = b""
            if not payload:
                self._gone = True
                return
            message = msgpack.unpackb(payload)
            if message.get("op") == "ended":
                code = os.waitstatus_to_exitcode(message["status"])
                times = {"ran_s": message.get("ran_s", 0.0), "waited_s": message.get("waited_s", 0.0)}
                self._ended[message["pid"]] = Exit(code, message["peak_bytes"], **times)
            yield message

    def _why(self) -> str:
        if self._process is not None and self._process.stderr is not None:
            self._process.kill()
            # Told once by the zygote, and asked for by whoever tries again.
            self._last_words += self._process.stderr.read().decode("utf-8", "replace")
        lines = self._last_words.strip().splitlines()
        reason = lines[-1] if lines else "it did not answer"
        return f"The worker could not start TensorFlow: {reason}. Run `lab doctor` to see what is missing."

    def kill(self, pid: int) -> None:
        """Asks the zygote to end a worker."""
        with contextlib.suppress(OSError):
            if self._control is not None:
                self._control.send(msgpack.packb({"op": "kill", "pid": pid}))

    def wait(self, pid: int, timeout_s: float) -> Exit:
        """Waits until the zygote has told how a worker ended."""
        if pid not in self._ended and self._control is not None:
            for message in self._messages(timeout_s):
                if message.get("op") == "ended" and message.get("pid") == pid:
                    break
        return self._ended.pop(pid, Exit(None, orphaned=self._gone))


class _ForkedWorker(WorkerProcess):
    def __init__(self, launcher: ZygoteLauncher, pid: int, channel: socket.socket, printed: IO[bytes]) -> None:
        super().__init__(printed)
        self._launcher = launcher
        self._pid = pid
        self._channel = channel
        self._exit: Exit | None = None
        self.reader = cast(IO[bytes], channel.makefile("rb", buffering=2**16))
        self.writer = cast(IO[bytes], channel.makefile("wb", buffering=2**16))

    def kill(self) -> None:
        self._launcher.kill(self._pid)
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)  # wakes a thread that reads

    def wait(self, timeout_s: float = REAP_S) -> Exit:
        if self._exit is None or self._exit.code is None:
            self._exit = self._launcher.wait(self._pid, timeout_s)
        for end in (self.reader, self.writer, self._channel):
            with contextlib.suppress(OSError, ValueError):
                end.close()
        return self._exit


def _start_zygote(jail_: Jail, rooms: Path, *, devices: bool) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        try:
            process = subprocess.Popen(
                jail_.command(rooms, "--control", str(theirs.fileno()), tasks=limits.TASKS),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env=jail.environment(devices=devices),
            )
        except OSError as error:
            ours.close()
            raise SetupError(f"The worker could not be started ({error}); run `lab doctor`.") from error
    return ours, process
