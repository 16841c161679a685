"""Grader processes on this machine: as many as cores and memory allow, each started again when it ends unasked."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from grader import capacity
from grader.batch.job import Job, check_from_plain
from grader.batch.process import job_line
from grader.results import CheckResult, GradeResult

GRADER_BYTES: Final = 2 * 2**30
"""Memory of a grader process, its zygote and one worker: 1.1 GiB at most were measured with the reference."""
ATTEMPTS: Final = 3
"""How often a submission is tried whose grader process ends, or in which the grader fails."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job.

    Attributes:
        job: The job.
        result: The whole result, or None.
        fault: Why there is none, one sentence.
        kind: `setup`, `submission` or `grader`; see `fault_kind`.
    """

    job: Job
    result: GradeResult | None
    fault: str = ""
    kind: str = ""


OnCheck = Callable[[Job, CheckResult], None]
OnOutcome = Callable[[Outcome], None]


def processes_here(wanted: int = 0) -> tuple[int, int]:
    """How many grader processes run at once, and how many threads TensorFlow gets in each.

    Args:
        wanted: What somebody asked for; 0 for as many as cores and memory allow.
    """
    cores = capacity.cores()
    fit = max(1, capacity.free_memory() // GRADER_BYTES)
    count = wanted or min(cores, fit)
    return count, max(1, cores // count)


class LocalPool:
    """Runs jobs in grader processes; close it when done.

    Args:
        processes: How many at once; 0 for as many as cores and memory allow.

    Attributes:
        threads: How many threads TensorFlow gets in each.
    """

    def __init__(self, processes: int = 0) -> None:
        self._count, self.threads = processes_here(processes)
        self._shares: queue.SimpleQueue[frozenset[int]] = queue.SimpleQueue()
        for share in capacity.shares(self._count):
            self._shares.put(share)
        self._stop = threading.Event()
        self._running: dict[subprocess.Popen[str], frozenset[int]] = {}
        self._ahead: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()

    def start(self) -> None:
        """Starts the grader processes before there are jobs; they import TensorFlow meanwhile."""
        for _ in range(self._count):
            self._ahead.put(self._new())

    def close(self) -> None:
        """Ends the grader processes that got no job."""
        self._end()
        with contextlib.suppress(queue.Empty):
            while True:
                self._finish(self._ahead.get_nowait())

    def run(self, jobs: Iterable[Callable[[], Job | None]], on_check: OnCheck, on_outcome: OnOutcome) -> None:
        """Runs jobs until all are done, or `on_check` or `on_outcome` raises.

        Args:
            jobs: Each makes its job when its turn comes, or None when there is nothing left to do for it.
            on_check: Called with each check's result as it falls, from several threads.
            on_outcome: Called once for each job, from several threads.
        """
        waiting: queue.SimpleQueue[Callable[[], Job | None]] = queue.SimpleQueue()
        total = 0
        for make in jobs:
            waiting.put(make)
            total += 1
        errors: list[BaseException] = []

        def serve() -> None:
            try:
                self._serve(waiting, on_check, on_outcome)
            except BaseException as error:
                errors.append(error)
                self._stop.set()
                self._end()

        threads = [threading.Thread(target=serve) for _ in range(min(self._count, total))]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.2)
        finally:
            self._stop.set()
            self._end()
            for thread in threads:
                thread.join()
        if errors:
            raise errors[0]

    def _end(self) -> None:
        for process in list(self._running):
            with contextlib.suppress(OSError, ValueError):
                if process.stdin is not None:
                    process.stdin.close()

    def _serve(self, waiting: queue.SimpleQueue[Callable[[], Job | None]], on_check: OnCheck, on_outcome: OnOutcome) -> None:
        process: subprocess.Popen[str] | None = None
        try:
            while not self._stop.is_set():
                try:
                    make = waiting.get_nowait()
                except queue.Empty:
                    return
                outcome: Outcome | None = None
                for _ in range(ATTEMPTS):
                    if process is not None and process.poll() is not None:
                        self._finish(process)
                        process = None
                    process = process or self._start()
                    # Made anew each time: what was stored by the attempt before is known by then.
                    job = make()
                    if job is None or self._stop.is_set():
                        break
                    outcome = self._one(process, job, on_check)
                    if outcome.kind != "grader":
                        break
                if outcome is not None and not (self._stop.is_set() and outcome.result is None):
                    on_outcome(outcome)
        finally:
            if process is not None:
                self._finish(process)

    def _start(self) -> subprocess.Popen[str]:
        try:
            return self._ahead.get_nowait()
        except queue.Empty:
            return self._new()

    def _new(self) -> subprocess.Popen[str]:
        share = self._shares.get_nowait()  # there is one for each process that may run at once
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "grader.batch.process", *map(str, sorted(share))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C reaches the command alone, which ends the graders in order
        )
        self._running[process] = share
        return process

    def _finish(self, process: subprocess.Popen[str]) -> None:
        with contextlib.suppress(OSError, ValueError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
        if (share := self._running.pop(process, None)) is not None:
            self._shares.put(share)

    def _one(self, process: subprocess.Popen[str], job: Job, on_check: OnCheck) -> Outcome:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(job_line(job))
            process.stdin.flush()
        except (OSError, ValueError):
            self._finish(process)
            return Outcome(job, None, "the grader process ended", "grader")
        for line in process.stdout:
            message: dict[str, Any] = json.loads(line)
            if "check" in message:
                on_check(job, check_from_plain(message["check"]))
            elif "result" in message:
                return Outcome(job, GradeResult.from_json(message["result"]))
            else:
                return Outcome(job, None, message["fault"], message["kind"])
        self._finish(process)
        return Outcome(job, None, "the grader process ended in the middle of it", "grader")
