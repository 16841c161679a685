"""What a grading costs: cold and warm time, time to the first sign of life, share that is not the submission's own, peak memory.

    python benchmarks/grade.py [PATH] [--runs N]

Cold and warm gradings run in turn, so that a busy minute touches both. "Own" is the time that workers spend in the submission's
functions and in the networks and data sets that checks make them run; it is taken on the trusted side, without the time in which the
trusted side answers callbacks. "Rest" is everything else after TensorFlow is imported: forks, frames, comparing, reporting, and what was
not drawn meanwhile. The import, shown apart, takes as long whatever else is done. Memory is the sum of the proportional set sizes (PSS)
of all processes, sampled.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from grader.channel.peer import Peer
from grader.grade import grade
from grader.host import launch, submission
from grader.host.warm import WarmZygote

SAMPLE_S = 0.05


class Stopwatch:
    """Adds up time spent in some function; time of inner stopwatches is taken off."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def wrap(self, function: Callable[..., Any], minus: Stopwatch | None = None) -> Callable[..., Any]:
        """The same function, timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            started, before = time.perf_counter(), minus.seconds if minus else 0.0
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - started - ((minus.seconds - before) if minus else 0.0)

        return timed


def shares(path: Path) -> dict[str, float]:
    """One cold grading in this process, which has graded nothing yet, with its time taken apart."""
    own, callbacks = Stopwatch(), Stopwatch()
    wait_until_ready = launch.ZygoteLauncher._wait_until_ready
    ready: list[float] = []

    def waited(launcher: launch.ZygoteLauncher) -> None:
        wait_until_ready(launcher)
        ready.append(time.perf_counter())

    submission._answer = callbacks.wrap(submission._answer)
    Peer.call = own.wrap(Peer.call, minus=callbacks)  # type: ignore[method-assign]
    launch.ZygoteLauncher._wait_until_ready = waited  # type: ignore[method-assign]
    started = time.perf_counter()
    result = grade(path)
    total, imported = time.perf_counter() - started, ready[0] - started
    return {"total": total, "import": imported, "own": own.seconds, "rest": total - imported - own.seconds, "score": result.score}


def command(path: Path) -> tuple[float, float]:
    """`lab grade` as a user runs it: seconds to the first output, and to the end."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "grader", "grade", str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    os.read(process.stdout.fileno(), 1)
    first = time.perf_counter() - started
    process.stdout.read()
    process.wait()
    return first, time.perf_counter() - started


def peak_memory(path: Path) -> float:
    """Peak of all processes' memory together during a cold grading, GiB."""
    process = psutil.Popen([sys.executable, "-m", "grader", "grade", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        total = 0
        for member in [process, *_children(process)]:
            try:
                total += member.memory_full_info().pss
            except (psutil.Error, AttributeError):
                continue
        peak = max(peak, total)
        time.sleep(SAMPLE_S)
    return peak / 2**30


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        children: list[psutil.Process] = process.children(recursive=True)
    except psutil.Error:
        return []
    return children


def main() -> None:
    """Runs the benchmark and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="?", type=Path, default=Path("solutions"))
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as alone:
        parts = [alone.submit(shares, options.path).result() for _ in range(options.runs)]
    cold, warm = [], []
    for _ in range(options.runs):
        cold.append(command(options.path))
        with WarmZygote():
            warm.append(command(options.path))
    table = Table("figure", "median", "smallest", "largest")

    def row(name: str, values: list[float], unit: str = "s") -> None:
        table.add_row(name, *(f"{value:.2f} {unit}" for value in (statistics.median(values), min(values), max(values))))

    row("lab grade, cold", [total for _, total in cold])
    row("lab grade, warm zygote", [total for _, total in warm])
    row("first output, cold", [first for first, _ in cold])
    row("until TensorFlow is imported", [part["import"] for part in parts])
    row("the submission's own computation", [part["own"] for part in parts])
    row("everything else", [part["rest"] for part in parts])
    row("everything else / own", [100 * part["rest"] / part["own"] for part in parts], "%")
    row("warm / cold", [100 * w / c for (_, c), (_, w) in zip(cold, warm, strict=True)], "%")
    row("peak memory of all processes", [peak_memory(options.path)], "GiB")
    console = Console()
    console.print(table)
    console.print(f"score {parts[0]['score']:g}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
