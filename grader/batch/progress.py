"""How far a run is: done, failed, rate and time left on a terminal; a line now and then in a pipe."""

from __future__ import annotations

import threading
import time
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from grader.report.text import one_line

EVERY: Final = 10
"""In a pipe: one line for so many submissions."""

QUIET_S: Final = 30.0
"""And one after so long without any."""


class BatchProgress:
    """Shows a run's progress. May be told of it from several threads.

    Args:
        console: Where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task("grading", total=None)
        self._lock = threading.Lock()
        self._total = self._cached = self._done = self._failed = self._checks = 0
        self._started = self._said = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, total: int, cached: int) -> None:
        """The run begins; so many gradings in all, and so many of them there already."""
        self._total, self._cached, self._started = total, cached, time.monotonic()
        self._progress.update(self._task, total=total, completed=cached)
        self._say(f"{total} different submissions, {cached} of them graded already")

    def check(self) -> None:
        """A check has ended."""
        with self._lock:
            self._checks += 1
            self._show()
            if not self._console.is_terminal and time.monotonic() - self._said > QUIET_S:
                self._say(f"{self._cached + self._done} of {self._total} done, {self._checks} checks")

    def done(self, label: str, *, failed: bool) -> None:
        """A grading has ended."""
        with self._lock:
            self._done += 1
            self._failed += failed
            self._show()
            if failed:
                self._say(f"not graded: {label}")
            elif not self._console.is_terminal and self._done % EVERY == 0:
                self._say(f"{self._cached + self._done} of {self._total} done")

    def _show(self) -> None:
        minutes = max(time.monotonic() - self._started, 1e-9) / 60
        text = f"{self._done} graded, {self._failed} failed, {self._done / minutes:.1f} a minute, {self._checks} checks"
        self._progress.update(self._task, completed=self._cached + self._done, description=text)

    def _say(self, line: str) -> None:
        self._said = time.monotonic()
        self._console.print(Text(one_line(line)), soft_wrap=True)
