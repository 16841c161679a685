"""How long `lab watch` takes from saving a file to the first verdict, and to the section's score.

    python benchmarks/watch.py [SECTION ...] [--runs N]

A copy of solutions/ is watched; a function of the section's file is edited again and again, one after the other, and the time from the
save until the first check's verdict and until the section's score line is printed is taken. Only the checks that the edit concerns run:
those of the edited function and those of the functions that call it. `train` and what trains, profiles or shuffles for real takes longer
than the rest.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from grader.lab import SECTIONS
from grader.results import State
from grader.stubs import START, marked_functions

SETTLED_S = 1.0
MARK = f"    {START}\n"


def from_save_to_verdict(section: str, runs: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds from a save to the first verdict and to the section's score, for each run, by the function that was edited."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "assignment"
        shutil.copytree("solutions", folder, ignore=shutil.ignore_patterns("wheats", "chaffs", "__pycache__"))
        process = subprocess.Popen(
            [sys.executable, "-m", "grader", "watch", str(folder), "--section", section], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        try:
            _until_score(process, section)
            file = folder / f"{section}.py"
            original = file.read_text(encoding="utf-8")
            pieces = original.split(MARK)
            functions = marked_functions(original, file.name)
            times: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
            for number in range(runs * len(functions)):
                time.sleep(SETTLED_S)
                place = number % len(functions)
                pieces[place + 1] = f"    edited = {number}\n{pieces[place + 1]}"
                started = time.perf_counter()
                file.write_text(MARK.join(pieces), encoding="utf-8")
                first, last = _until_score(process, section)
                times[functions[place]].append((first - started, last - started))
            return times
        finally:
            process.terminate()
            process.wait()


def _until_score(process: subprocess.Popen[str], section: str) -> tuple[float, float]:
    """When the first verdict was printed, and when the score was."""
    assert process.stdout is not None
    first = 0.0
    for line in process.stdout:
        words = line.split()
        if not first and len(words) > 1 and words[1] in list(State):
            first = time.perf_counter()
        if line.startswith(f"{section} ") and "/" in line:
            return first, time.perf_counter()
    raise SystemExit("lab watch ended before a verdict")


def main() -> None:
    """Runs the benchmark and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", default=list(SECTIONS))
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    table = Table("edited", "first verdict", "section's score", "smallest", "largest", title="from save to verdict, seconds (medians)")
    for section in options.sections:
        for function, times in from_save_to_verdict(section, options.runs).items():
            firsts, lasts = zip(*times, strict=True)
            figures = (statistics.median(firsts), statistics.median(lasts), min(lasts), max(lasts))
            table.add_row(f"{section}.{function}", *(f"{value:.2f}" for value in figures))
    Console().print(table)


if __name__ == "__main__":
    main()
