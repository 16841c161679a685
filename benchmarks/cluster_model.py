"""A model on paper of a class of 100,000 submissions on a cluster: a queueing simulation fed with measured figures.

    python benchmarks/cluster_model.py measure             # the parts that one command does for every submission, on this machine
    python benchmarks/cluster_model.py batch               # how long a whole class takes, by machines
    python benchmarks/cluster_model.py deadline            # how long students wait at a deadline, by machines

One command reads, packs and sends submissions one after the other over one network link; each machine has graders that take one submission
at a time and first import TensorFlow; results come back check by check and are written one after the other to one store. A grader dies now
and then, and its submission is sent again. docs/scaling.md says where the figures come from and what follows.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import simpy
from rich.console import Console
from rich.table import Table

SOLUTIONS = Path(__file__).parents[1] / "solutions"


@dataclass(frozen=True, slots=True)
class Figures:
    """What the model is fed with; measured on 2 cores, see docs/scaling.md.

    Attributes:
        service_s: Mean time of a whole grading in one grader process.
        spread: Coefficient of variation of that; a log-normal distribution (gradings are products of many parts, and none is negative).
        start_s: From the start of a grader process to its first fork.
        send_s: The command's time to read and pack one submission.
        store_s: The store's time for all results of one submission.
        job_bytes: A packed submission with measurements and trained weights.
        link_bytes_s: The command's network link, 1 Gbit/s.
        graders: Processes on a machine.
        death: Chance that a grader dies during a submission.
    """

    service_s: float = 23.0
    spread: float = 0.35
    start_s: float = 5.0
    send_s: float = 0.04
    store_s: float = 0.09
    job_bytes: float = 3.1e6
    link_bytes_s: float = 125e6
    graders: int = 8
    death: float = 0.001


@dataclass
class Outcome:
    """What became of a simulated class.

    Attributes:
        ended_s: When the last submission was done.
        waits_s: For each submission the time from its arrival to its result.
        busy_s: Seconds that the command, the link, the store and all graders together worked.
        graders: How many graders there were.
        graded: How many gradings were made, those that died included.
    """

    ended_s: float = 0.0
    waits_s: list[float] = field(default_factory=list)
    busy_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("command", "link", "store", "graders"), 0.0))
    graders: int = 1
    graded: int = 0

    def share(self, part: str) -> float:
        """Part of the time that something was busy."""
        return self.busy_s[part] / self.ended_s / (self.graders if part == "graders" else 1)


def simulate(figures: Figures, machines: int, arrivals_s: list[float], *, seed: int = 0) -> Outcome:
    """Runs a class through the model.

    Args:
        figures: The figures.
        machines: How many machines.
        arrivals_s: When each submission is there, in order.
        seed: Of the chance.

    Returns:
        What became of it.
    """
    chance = random.Random(seed)
    sigma = math.sqrt(math.log1p(figures.spread**2))
    mu = math.log(figures.service_s) - sigma**2 / 2
    world = simpy.Environment()
    serial = {name: simpy.Resource(world) for name in ("command", "link", "store")}
    ready = simpy.Store(world)
    outcome = Outcome(graders=machines * figures.graders)
    # Enough submissions lie ready at the graders that none of them waits for the link, and no more: they are held in memory.
    room = simpy.Container(world, capacity=2 * outcome.graders, init=2 * outcome.graders)

    def through(part: str, seconds: float) -> Generator[Any, Any, None]:
        if seconds:
            with serial[part].request() as turn:
                yield turn
                yield world.timeout(seconds)
        outcome.busy_s[part] += seconds

    def send() -> Generator[Any, Any, None]:
        for arrived in arrivals_s:
            if arrived > world.now:
                yield world.timeout(arrived - world.now)
            yield room.get(1)
            yield from through("command", figures.send_s)
            world.process(deliver(arrived))

    def deliver(arrived: float) -> Generator[Any, Any, None]:
        yield from through("link", figures.job_bytes / figures.link_bytes_s)
        yield ready.put(arrived)

    def grader() -> Generator[Any, Any, None]:
        yield world.timeout(figures.start_s)
        while True:
            arrived = yield ready.get()
            seconds = chance.lognormvariate(mu, sigma) if sigma else figures.service_s
            outcome.graded += 1
            if chance.random() < figures.death:
                outcome.busy_s["graders"] += seconds / 2
                yield world.timeout(seconds / 2 + figures.start_s)
                world.process(deliver(arrived))
                continue
            outcome.busy_s["graders"] += seconds
            yield world.timeout(seconds)
            yield room.put(1)
            world.process(store(arrived))

    def store(arrived: float) -> Generator[Any, Any, None]:
        yield from through("store", figures.store_s)
        outcome.waits_s.append(world.now - arrived)
        outcome.ended_s = world.now
        if len(outcome.waits_s) == len(arrivals_s):
            finished.succeed()

    finished = world.event()
    world.process(send())
    for _ in range(outcome.graders):
        world.process(grader())
    world.run(until=finished)
    return outcome


def at_once(count: int) -> list[float]:
    """A class that is all there at the beginning."""
    return [0.0] * count


def towards_a_deadline(count: int, hours: float = 48.0, *, seed: int = 0) -> list[float]:
    """Arrivals that double every four hours until the deadline, as courses see them."""
    chance = random.Random(seed)
    rate = math.log(2) / 4.0
    # The inverse of the distribution whose density grows as e^(rate t) on [0, hours].
    moments = (math.log1p(chance.random() * math.expm1(rate * hours)) / rate for _ in range(count))
    return sorted(3600 * moment for moment in moments)


def measure(repeats: int = 20) -> None:
    """The parts that the command does itself for every submission."""
    from grader.batch.digests import check_digests
    from grader.batch.job import pack
    from grader.batch.record import Record
    from grader.grade import grade
    from grader.host.intake import take
    from grader.store.results import Identity, Results

    def packed() -> bytes:
        with take(SOLUTIONS) as taken:
            return pack(taken.folder)

    sent = [_timed(packed) for _ in range(repeats)]
    result = grade(SOLUTIONS)
    digests = check_digests()
    with tempfile.TemporaryDirectory() as place, Results.open(str(Path(place) / "grades.db")) as opened:
        record = Record(opened)

        def stored(number: int) -> None:
            identity = Identity(digest=f"{number:064}", checks=digests, settings={"kind": "measured"})
            record.keep(lambda: opened.begin(identity))
            for check in result.checks:
                record.check(identity.key, check, identity)
            record.finish(identity.key, result)

        written = [_timed(lambda number=number: stored(number)) for number in range(repeats)]  # type: ignore[misc]
    print(f"take and pack   {statistics.median(sent):.3f} s, {len(packed()) / 1e6:.1f} MB")
    print(f"store (SQLite)  {statistics.median(written):.3f} s for {len(result.checks)} checks")
    print(f"a grading       {result.duration_s:.1f} s")


def _timed(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _batch(figures: Figures, count: int, counts: list[int]) -> Table:
    table = Table(
        "machines",
        "graders",
        "hours",
        "a minute",
        "command",
        "link",
        "store",
        "graders busy",
        title=f"{count:,} submissions, all there at once",
    )
    for machines in counts:
        outcome = simulate(figures, machines, at_once(count))
        shares = (f"{outcome.share(part):.0%}" for part in ("command", "link", "store", "graders"))
        rate = count / outcome.ended_s * 60
        table.add_row(f"{machines}", f"{outcome.graders}", f"{outcome.ended_s / 3600:.2f}", f"{rate:.0f}", *shares)
    return table


def _deadline(figures: Figures, count: int, counts: list[int]) -> Table:
    table = Table(
        "machines",
        "median wait",
        "95 % wait at most",
        "longest",
        title=f"{count:,} submissions towards a deadline; wait until the grade, minutes",
    )
    for machines in counts:
        outcome = simulate(figures, machines, towards_a_deadline(count))
        waits = sorted(outcome.waits_s)
        table.add_row(
            f"{machines}", *(f"{seconds / 60:.1f}" for seconds in (waits[len(waits) // 2], waits[len(waits) * 95 // 100], waits[-1]))
        )
    return table


def main() -> None:
    """Runs one of the three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["measure", "batch", "deadline"])
    parser.add_argument("--submissions", type=int, default=100_000)
    parser.add_argument("--machines", type=int, nargs="+", default=[1, 10, 50, 100, 200, 400])
    for name in ("service_s", "send_s", "store_s", "job_bytes", "link_bytes_s", "graders", "death"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(getattr(Figures(), name)), default=getattr(Figures(), name))
    given = vars(parser.parse_args())
    if given["what"] == "measure":
        measure()
        return
    figures = replace(Figures(), **{name: value for name, value in given.items() if name in Figures.__dataclass_fields__})
    make = _batch if given["what"] == "batch" else _deadline
    Console().print(make(figures, given["submissions"], given["machines"]))


if __name__ == "__main__":
    main()
