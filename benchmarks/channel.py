"""What the trust boundary costs: calls a second, megabytes a second, and the time from a fork to a worker's first reply.

python benchmarks/channel.py
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from grader.host import limits
from grader.host.launch import Launcher, SubprocessLauncher, ZygoteLauncher
from grader.host.submission import Submission

SOURCE = """
def same(value):
    return value


def ask(function, count):
    return sum(function(number) for number in range(count))
"""


def per_second(work: Callable[[], object], amount: float, repeats: int = 7) -> float:
    """The median of some repeats: amount of work a second."""
    rates = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        rates.append(amount / (time.perf_counter() - started))
    return statistics.median(rates)


def first_reply_ms(using: Launcher, folder: Path, count: int) -> list[float]:
    """Milliseconds from the wish for a worker to its first answer from the submission's code, in order of size."""
    times = []
    for _ in range(count):
        with closing(Submission(folder, using, limits.for_check())) as submission:
            started = time.perf_counter()
            submission.training.same(1)
            times.append((time.perf_counter() - started) * 1000)
    return sorted(times)


def main() -> None:
    """Measures and prints one table."""
    table = Table("what", "figure", title="The channel between grader and worker")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "training.py").write_text(SOURCE, encoding="utf-8")
        started = time.perf_counter()
        with closing(ZygoteLauncher()) as using:
            with closing(Submission(folder, using, limits.for_check(600.0))) as submission:
                submission.training.same(1)
                table.add_row("start of the zygote, with TensorFlow", f"{time.perf_counter() - started:.1f} s")
                calls = 2000
                table.add_row("calls", f"{per_second(lambda: [submission.training.same(1) for _ in range(calls)], calls):,.0f} a second")
                table.add_row("callbacks", f"{per_second(lambda: submission.training.ask(lambda n: n, calls), calls):,.0f} a second")
                for images in (1, 250, 1000):
                    batch = np.zeros((images, 64, 64, 3), np.float32)
                    keep = submission.tools.keep
                    megabytes = batch.nbytes / 1e6
                    there = per_second(lambda batch=batch, keep=keep: keep(batch), megabytes)
                    both = per_second(lambda batch=batch: submission.training.same(batch), 2 * megabytes)
                    table.add_row(f"{images} images ({megabytes:.1f} MB)", f"{there:,.0f} MB/s there, {both:,.0f} MB/s there and back")
            times = first_reply_ms(using, folder, 200)
            table.add_row("first reply after a fork", f"median {statistics.median(times):.1f} ms, p90 {times[180]:.1f} ms (200 forks)")
        times = first_reply_ms(SubprocessLauncher(), folder, 11)
        table.add_row("first reply of a subprocess", f"median {statistics.median(times):.0f} ms (11 starts, without TensorFlow)")
    Console().print(table)


if __name__ == "__main__":
    main()
