"""What the sandbox costs: each tier against none, in turn, in one run.

    python benchmarks/jail.py [--rounds N]

Three things are measured in every tier that the machine has, tier C being none: the time from the wish for a worker to its first answer, a
second or so of inference with the lab's network, and a few training steps. Rounds are interleaved, and inference and training are given as
ratios within a round, so that a change in the machine's load falls on all tiers.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack, closing
from pathlib import Path

from rich.console import Console
from rich.table import Table

from grader.bank import write_reference
from grader.host import jail, limits
from grader.host.launch import Launcher, launcher
from grader.host.submission import Submission

SOLUTIONS = Path(__file__).resolve().parent.parent / "solutions"
WORK = """
import time
import numpy as np
from . import model as network


def same(value):
    return value


def infer(calls):
    built = network.build_model()
    images = np.zeros((50, 64, 64, 3), np.float32)
    built(images, training=False)
    started = time.perf_counter()
    for _ in range(calls):
        np.asarray(built(images, training=False))
    return time.perf_counter() - started


def fit(steps):
    built = network.build_model()
    built.compile("adam", "sparse_categorical_crossentropy")
    images, labels = np.zeros((32, 64, 64, 3), np.float32), np.zeros(32, np.int32)
    built.train_on_batch(images, labels)
    started = time.perf_counter()
    for _ in range(steps):
        built.train_on_batch(images, labels)
    return time.perf_counter() - started
"""


def first_reply_ms(using: Launcher, folder: Path) -> float:
    """Milliseconds from the wish for a worker to its first answer."""
    started = time.perf_counter()
    with closing(Submission(folder, using, limits.for_check())) as submission:
        submission.training.same(1)
        return 1000 * (time.perf_counter() - started)


def main() -> None:
    """Measures and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    best = jail.probe().tier
    with ExitStack() as stack:
        folder = write_reference(SOLUTIONS, Path(stack.enter_context(tempfile.TemporaryDirectory())) / "submission")
        (folder / "training.py").write_text(WORK, encoding="utf-8")
        tiers = {tier: stack.enter_context(closing(launcher("zygote", tier=tier))) for tier in "ABC" if tier >= best}
        replies: dict[str, list[float]] = defaultdict(list)
        ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
        for _ in range(rounds):
            for _ in range(10):
                for tier, using in tiers.items():
                    replies[tier].append(first_reply_ms(using, folder))
            for what, amount in (("infer", 15), ("fit", 8)):
                seconds = {}
                for tier, using in tiers.items():
                    with closing(Submission(folder, using, limits.for_check(60.0))) as submission:
                        seconds[tier] = getattr(submission.training, what)(amount)
                for tier in tiers:
                    ratios[tier, what].append(seconds[tier] / seconds["C"])
    table = Table("tier", "first reply, ms", "more than C, ms", "inference, of C", "training, of C", title=f"Medians, {rounds} rounds")
    bare = statistics.median(replies["C"])
    for tier in tiers:
        reply = statistics.median(replies[tier])
        shares = [f"{statistics.median(ratios[tier, what]):.3f}" for what in ("infer", "fit")]
        table.add_row(tier, f"{reply:.1f}", f"{reply - bare:+.1f}", *shares)
    Console().print(table)


if __name__ == "__main__":
    main()
