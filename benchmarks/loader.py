"""Measures the reference's input pipeline against bare decoding, interleaved in one run.

Run `python benchmarks/loader.py --data data/small`. The goal is a ratio of at least 0.8: building batches may cost a fifth of the decoding.

Bare decoding reads and decodes the same JPEGs in the same order with the same number of threads, one after the other in each thread, and
throws the pixels away. Both passes of a round follow each other, in turns first and second, and the ratio is taken within the round, so
that a change in the machine's load falls on both.
"""

import argparse
import importlib
import importlib.machinery
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import tensorflow as tf

from grader.dataset.make import make_dataset

BATCH = 64
REPOSITORY = Path(__file__).resolve().parent.parent


def load_solutions(folder: Path) -> ModuleType:
    """The module data.py of the reference (or of a student), loaded as a part of a package, as the grader does.

    Args:
        folder: that holds data.py.

    Returns:
        The module.
    """
    package = importlib.util.module_from_spec(importlib.machinery.ModuleSpec("assignment", None, is_package=True))
    package.__path__ = [str(folder)]
    sys.modules["assignment"] = package
    return importlib.import_module("assignment.data")


def decode_all(paths: list[str], threads: int) -> None:
    """Reads and decodes each JPEG, in a few threads, and keeps nothing."""

    def part(first: int) -> None:
        for path in paths[first::threads]:
            tf.io.decode_jpeg(tf.io.read_file(path), channels=3)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, range(threads)))


def decode_in_graph(paths: list[str], threads: int) -> None:
    """Reads and decodes each JPEG in a compiled tf.data map, without batches: no Python between two pictures."""

    def decode(path: tf.Tensor) -> tf.Tensor:
        return tf.shape(tf.io.decode_jpeg(tf.io.read_file(path), channels=3))[0]

    data = tf.data.Dataset.from_tensor_slices(paths).map(decode, num_parallel_calls=threads)
    data.reduce(0, lambda total, rows: total + rows).numpy()


def seconds(work: Callable[[], object]) -> float:
    """How long a piece of work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Runs the rounds and prints each rate and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/small"), help="folder of the small set; made if it is not whole")
    parser.add_argument("--solutions", type=Path, default=REPOSITORY / "solutions")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    make_dataset(options.data, "small")
    data = load_solutions(options.solutions)
    examples = data.list_examples(options.data, "train")
    paths = [example.path for example in examples]
    loader = data.make_dataset(examples, BATCH, shuffle=True, seed=0)

    def load_all() -> None:
        images = sum(int(labels.shape[0]) for _, labels in loader)
        assert images == len(examples), (images, len(examples))

    works: dict[str, Callable[[], object]] = {
        "loader": load_all,
        "bare, eager": lambda: decode_all(paths, options.threads),
        "bare, graph": lambda: decode_in_graph(paths, options.threads),
    }
    for work in works.values():
        work()  # files into the page cache, functions traced
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(options.rounds):
        names = list(works)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            taken[name].append(seconds(works[name]))
    for name, times in taken.items():
        rates = [len(paths) / time_s for time_s in times]
        print(f"{name:12} {statistics.median(rates):8.0f} images/s  (lowest {min(rates):.0f}, highest {max(rates):.0f})")
    for name in ("bare, eager", "bare, graph"):
        ratios = [bare / ours for bare, ours in zip(taken[name], taken["loader"], strict=True)]
        print(f"loader / {name}: {statistics.median(ratios):.2f}  (lowest {min(ratios):.2f}, highest {max(ratios):.2f})")


if __name__ == "__main__":
    main()
