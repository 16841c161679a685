"""Starts and ends workers: forks of a zygote on Linux, in the best jail that the machine gives; a plain subprocess elsewhere."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final, cast

import msgpack

from grader.channel.limits import Limits
from grader.errors import SetupError
from grader.host import jail, limits
from grader.host.jail import Isolation, Jail, Tier
from grader.host.warm import connect_warm, rooms_folder

READY_S: Final = 120.0
"""Longest wait for a zygote's TensorFlow import: 2 to 6 s when compiled, 13 s when not, more on a cold disk."""

REAP_S: Final = 10.0
PRINTED_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Room:
    """A worker's files, in a folder that nobody else is told of.

    Attributes:
        submission: The submission's files; a worker may read them.
        scratch: A worker may read and write there.
    """

    submission: Path
    scratch: Path

    @classmethod
    def make(cls, rooms: Path) -> Room:
        """Makes an empty room below a launcher's folder."""
        top = Path(tempfile.mkdtemp(dir=rooms))
        room = cls(top / "submission", top / "scratch")
        # A worker may run as another user; that it cannot find this folder by listing is the launcher's care.
        for folder, mode in ((top, 0o711), (room.submission, 0o755), (room.scratch, 0o777 if _is_root() else 0o700)):
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)
        return room

    def fill(self, folder: Path) -> None:
        """Copies a submission's Python files into the room; a worker needs nothing else of it.

        Args:
            folder: The taken submission.
        """
        for file in folder.glob("*.py"):
            copy = self.submission / file.name
            shutil.copyfile(file, copy)
            copy.chmod(0o644)

    def remove(self) -> None:
        """Removes the room and what was left in it."""
        shutil.rmtree(self.submission.parent, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Exit:
    """How a worker ended.

    Attributes:
        code: Exit status; negative: the number of the signal that ended it; None where it could not be learned.
        peak_bytes: Largest resident memory, 0 where it could not be learned.
    """

    code: int | None
    peak_bytes: int = 0


class WorkerProcess(ABC):
    """A running worker: two ends of its channel, what it printed, and its end."""

    reader: IO[bytes]
    writer: IO[bytes]

    def __init__(self, printed: IO[bytes]) -> None:
        self._printed = printed

    @abstractmethod
    def kill(self) -> None:
        """Ends the worker and whatever it started, at once. May be called from any thread, and more than once."""

    @abstractmethod
    def wait(self, timeout_s: float = REAP_S) -> Exit:
        """Waits for the end (the worker was killed, or its channel closed) and says how it ended; without a code if it goes on."""

    def close(self) -> None:
        """Closes what is still open when the worker has ended."""
        self._printed.close()

    def printed(self) -> str:
        """The last lines that the submission printed."""
        with contextlib.suppress(OSError, ValueError):
            self._printed.seek(0, os.SEEK_END)
            self._printed.seek(max(0, self._printed.tell() - PRINTED_BYTES))
            return self._printed.read(PRINTED_BYTES).decode("utf-8", "replace")
        return ""


class Launcher(ABC):
    """Starts workers. One launcher serves a whole grading.

    Attributes:
        fresh: Whether each worker costs so little that every check gets its own.
        usable: Whether a worker has been started already.
        rooms: The folder below which workers' rooms are made.
    """

    fresh: bool
    usable: bool = False
    rooms: Path

    @property
    @abstractmethod
    def isolation(self) -> Isolation:
        """How workers are kept apart.

        Raises:
            SetupError: No worker can be started on this machine.
        """

    @abstractmethod
    def start(self, limits: Limits, room: Room) -> WorkerProcess:
        """Starts a worker.

        Args:
            limits: What it may use.
            room: Its files.

        Raises:
            SetupError: No worker can be started on this machine.
        """

    @abstractmethod
    def close(self) -> None:
        """Ends what the launcher holds."""


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
        self._wanted = tier
        self._devices = devices
        self._own_rooms: Path | None = None
        self._jail: Jail | None = None
        self.warm = False
        self._connect()

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
                worker = self._fork(limits, room)
                self.usable = True
                return worker
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
            shutil.rmtree(self._own_rooms, ignore_errors=True)
            self._own_rooms = None

    def _disconnect(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
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
            folders = {"submission": str(room.submission), "scratch": str(room.scratch)}
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
                return
            message = msgpack.unpackb(payload)
            if message.get("op") == "ended":
                self._ended[message["pid"]] = Exit(os.waitstatus_to_exitcode(message["status"]), message["peak_bytes"])
            yield message

    def _why(self) -> str:
        lines: list[str] = []
        if self._process is not None and self._process.stderr is not None:
            self._process.kill()
            lines = self._process.stderr.read().decode("utf-8", "replace").strip().splitlines()
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
        return self._ended.pop(pid, Exit(None))


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


class SubprocessLauncher(Launcher):
    """Starts each worker as a new Python process; used where forking a zygote is not possible."""

    fresh = False

    def __init__(self) -> None:
        self.rooms = make_rooms()

    @property
    def isolation(self) -> Isolation:
        """Nothing but the clock keeps such a worker."""
        system = "asked for" if sys.platform == "linux" else f"all that {sys.platform} gives"
        return Isolation(Tier.C, ("a subprocess",), (f"a plain subprocess was {system}",))

    def start(self, limits: Limits, room: Room) -> WorkerProcess:
        """Starts a worker process; its memory is not limited here, its time is kept by the trusted side."""
        printed = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        keep = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "HOME", "USERPROFILE", "LANG", "LC_ALL", "TZ")
        environment = {name: os.environ[name] for name in keep if name in os.environ}
        environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow", "PYTHONDONTWRITEBYTECODE": "1"}
        # A socket can be shut down from this side; a pipe stays open as long as any process that the worker started holds its end.
        ours, theirs = socket.socketpair() if os.name == "posix" else (None, None)
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "grader.worker.serve", "--stdio"],
                stdin=subprocess.PIPE if theirs is None else theirs.fileno(),
                stdout=subprocess.PIPE if theirs is None else theirs.fileno(),
                stderr=printed,
                env=environment,
                start_new_session=os.name == "posix",
            )
        except OSError as error:
            printed.close()
            if ours is not None:
                ours.close()
            raise SetupError(f"A worker process could not be started ({error}); run `lab doctor`.") from error
        finally:
            if theirs is not None:
                theirs.close()
        return _Subprocess(process, printed, ours)

    def close(self) -> None:
        """Removes the folder of the rooms."""
        shutil.rmtree(self.rooms, ignore_errors=True)


class _Subprocess(WorkerProcess):
    def __init__(self, process: subprocess.Popen[bytes], printed: IO[bytes], channel: socket.socket | None) -> None:
        super().__init__(printed)
        self._process = process
        self._channel = channel
        if channel is not None:
            self.reader = cast("IO[bytes]", channel.makefile("rb", buffering=2**16))
            self.writer = cast("IO[bytes]", channel.makefile("wb", buffering=2**16))
        else:
            assert process.stdin is not None
            assert process.stdout is not None
            self.reader = process.stdout
            self.writer = process.stdin

    def kill(self) -> None:
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        if self._channel is not None:
            with contextlib.suppress(OSError):
                self._channel.shutdown(socket.SHUT_RDWR)  # wakes a thread that reads

    def wait(self, timeout_s: float = REAP_S) -> Exit:
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return Exit(None)
        for end in (self.reader, self.writer, self._channel):
            if end is not None:
                with contextlib.suppress(OSError, ValueError):
                    end.close()
        return Exit(code)


def make_rooms() -> Path:
    """A new folder for rooms, which others can pass through and not list."""
    folder = Path(tempfile.mkdtemp(prefix="lab-"))
    folder.chmod(0o711)
    return folder


def refuse_without_sandbox(launcher: Launcher, *, unsandboxed: bool = False) -> None:
    """Refuses to run code of strangers where nothing holds it.

    Args:
        launcher: What would run it.
        unsandboxed: Whether somebody said in so many words that it is to be run all the same.

    Raises:
        SetupError: The launcher gives tier C.
    """
    isolation = launcher.isolation
    if isolation.tier is Tier.C and not unsandboxed:
        raise SetupError(
            f"This machine gives no sandbox ({'; '.join(isolation.missing)}), and a class is not graded without: a submission could "
            "read and change whatever you can. Mend that (`lab doctor` tells how), use a machine or container that holds nothing else, "
            "or say `--unsandboxed`."
        )


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


def _is_root() -> bool:
    return os.name == "posix" and os.geteuid() == 0


def launcher(kind: str = "auto", *, tier: str | None = None, devices: bool = False) -> Launcher:
    """Makes the launcher for this machine.

    Args:
        kind: `auto`, `zygote` or `subprocess`. The environment variable LAB_WORKER stands in for `auto`.
        tier: The highest tier to use (A, B or C); by default $LAB_TIER, or the best that the machine gives.
        devices: Whether workers may use GPUs, for measurements of a person's own code; no jail then.

    Returns:
        A launcher; close it when done.

    Raises:
        SetupError: The kind is unknown or not available here.
    """
    if kind == "auto":
        kind = os.environ.get("LAB_WORKER") or ("zygote" if sys.platform == "linux" else "subprocess")
    match kind:
        case "zygote" if sys.platform == "linux":
            return ZygoteLauncher(tier, devices=devices)
        case "subprocess":
            return SubprocessLauncher()
    raise SetupError(f"Expected the worker kind `zygote` (Linux only) or `subprocess`, received {kind!r} on {sys.platform}.")


__all__ = [
    "Exit",
    "Launcher",
    "Room",
    "SubprocessLauncher",
    "WorkerProcess",
    "ZygoteLauncher",
    "launcher",
    "make_rooms",
    "refuse_without_sandbox",
]
