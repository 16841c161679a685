"""Workers that are new Python processes, where a zygote cannot be forked."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from typing import IO, cast

from grader.channel.limits import Limits
from grader.channel.processor_time import ran_and_waited
from grader.channel.quiet import QUIET
from grader.errors import SetupError
from grader.host import scratch
from grader.host.jail import Isolation, Tier
from grader.host.process import REAP_S, Exit, Launcher, WorkerProcess
from grader.host.room import Room, make_rooms


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
        environment |= QUIET
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
        scratch.remove(self.rooms)


class _Subprocess(WorkerProcess):
    def __init__(self, process: subprocess.Popen[bytes], printed: IO[bytes], channel: socket.socket | None) -> None:
        super().__init__(printed)
        self._process = process
        self._channel = channel
        self._times: tuple[float, float] | None = None
        if channel is not None:
            self.reader = cast("IO[bytes]", channel.makefile("rb", buffering=2**16))
            self.writer = cast("IO[bytes]", channel.makefile("wb", buffering=2**16))
        else:
            assert process.stdin is not None
            assert process.stdout is not None
            self.reader = process.stdout
            self.writer = process.stdin

    def kill(self) -> None:
        if self._times is None:
            self._times = ran_and_waited(self._process.pid)
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
        ran_s, waited_s = self._times or (0.0, 0.0)
        return Exit(code, ran_s=ran_s, waited_s=waited_s)
