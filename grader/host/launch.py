"""Starts and ends workers: forks of a zygote on Linux, a plain subprocess elsewhere."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import IO, Any, Final, cast

import msgpack

from grader.channel.limits import Limits
from grader.errors import SetupError
from grader.host.warm import connect_warm

READY_S: Final = 120.0
"""Longest wait for a zygote's TensorFlow import: 2 to 6 s when compiled, 13 s when not, more on a cold disk."""

REAP_S: Final = 10.0
PRINTED_BYTES: Final = 4096


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
        isolation: How workers are kept apart, for the result.
        fresh: Whether each worker costs so little that every check gets its own.
        usable: Whether a worker has been started already.
    """

    isolation: str
    fresh: bool
    usable: bool = False

    @abstractmethod
    def start(self, limits: Limits) -> WorkerProcess:
        """Starts a worker.

        Raises:
            SetupError: No worker can be started on this machine.
        """

    @abstractmethod
    def close(self) -> None:
        """Ends what the launcher holds."""


class ZygoteLauncher(Launcher):
    """Forks workers from a zygote: a warm one that listens, or a private one that is started here."""

    isolation = "zygote"
    fresh = True

    def __init__(self) -> None:
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ended: dict[int, Exit] = {}
        self.warm = False
        self._connect()

    def start(self, limits: Limits) -> WorkerProcess:
        """Forks a worker; a zygote that has gone is started again once."""
        for attempt in (1, 2):
            try:
                worker = self._fork(limits)
                self.usable = True
                return worker
            except (OSError, SetupError):
                if attempt == 2:
                    raise
                self.close()
                self._connect()
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Closes the control connection: the zygote ends the workers of this launcher, and itself if it is private."""
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
        self._control = connect_warm()
        self.warm = self._control is not None
        if self._control is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._process = subprocess.Popen(
                    # -P: nothing is imported from the folder that the grader happens to be started in
                    [sys.executable, "-P", "-m", "grader.worker.zygote", "--control", str(theirs.fileno())],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            self._control = ours
        self._ready = False

    def _fork(self, limits: Limits) -> WorkerProcess:
        if self._control is None:
            raise OSError("no zygote")
        if not self._ready:
            self._expect("ready", READY_S)
            self._ready = True
        printed = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        ours, theirs = socket.socketpair()
        with theirs:
            request = msgpack.packb({"op": "fork", "limits": asdict(limits)})
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

    isolation = "subprocess"
    fresh = False

    def start(self, limits: Limits) -> WorkerProcess:
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
        """Nothing is held between workers."""


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


def launcher(kind: str = "auto") -> Launcher:
    """Makes the launcher for this machine.

    Args:
        kind: `auto`, `zygote` or `subprocess`. The environment variable LAB_WORKER stands in for `auto`.

    Returns:
        A launcher; close it when done.

    Raises:
        SetupError: The kind is unknown or not available here.
    """
    if kind == "auto":
        kind = os.environ.get("LAB_WORKER") or ("zygote" if sys.platform == "linux" else "subprocess")
    match kind:
        case "zygote" if sys.platform == "linux":
            return ZygoteLauncher()
        case "subprocess":
            return SubprocessLauncher()
    raise SetupError(f"Expected the worker kind `zygote` (Linux only) or `subprocess`, received {kind!r} on {sys.platform}.")


__all__ = ["Exit", "Launcher", "SubprocessLauncher", "WorkerProcess", "ZygoteLauncher", "launcher"]
