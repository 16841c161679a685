"""What a launcher and a running worker are, whatever kind of process it is."""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from grader.channel.limits import Limits
from grader.host.jail import Isolation
from grader.host.room import Room

REAP_S: Final = 10.0
PRINTED_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Exit:
    """How a worker ended.

    Attributes:
        code: Exit status; negative: the number of the signal that ended it; None where it could not be learned.
        peak_bytes: Largest resident memory, 0 where it could not be learned.
        orphaned: Whether what started it, and would have told how it ended, ended before.
        ran_s: Seconds that its threads had a processor, where it was killed; 0 where that could not be learned.
        waited_s: Seconds that they stood in line for one, likewise.
    """

    code: int | None
    peak_bytes: int = 0
    orphaned: bool = False
    ran_s: float = 0.0
    waited_s: float = 0.0

    def own_s(self, lasted_s: float) -> float:
        """How long the same would have taken on a machine with a processor free whenever it wanted one.

        Args:
            lasted_s: How long it took, by the clock on the wall, in seconds.

        Returns:
            `lasted_s` less what its threads waited: of the time in which they wanted a processor they had one for
            `ran_s / (ran_s + waited_s)`, and what is left over they slept. `lasted_s` where nothing could be learned.
        """
        wanted = self.ran_s + self.waited_s
        return lasted_s - min(lasted_s, wanted) * self.waited_s / wanted if wanted > 0 else lasted_s


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

    def printed_bytes(self) -> int:
        """How many bytes the submission has printed."""
        with contextlib.suppress(OSError, ValueError):
            return os.fstat(self._printed.fileno()).st_size
        return 0

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
        usable: Whether a worker of it has answered already.
        rooms: The folder below which workers' rooms are made.
    """

    fresh: bool
    usable: bool = False
    rooms: Path

    @property
    def ready(self) -> bool:
        """Whether a worker can be started without waiting for an import."""
        return True

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
