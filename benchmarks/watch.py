"""How long `lab watch` takes from saving a file to the section's verdict.

    python benchmarks/watch.py [SECTION ...] [--runs N]

A copy of solutions/ is watched; a function of the section's file is edited again and again, one after the other, and the time from the
save until the section's score line is printed is taken. Only the checks that the edit concerns run. `train` and what trains, profiles or
shuffles for real takes longer than the rest.
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
from grader.stubs import START, marked_functions

SETTLED_S = 1.0
MARK = f"    {START}\n"


def from_save_to_verdict(section: str, runs: int) -> dict[str, list[float]]:
    """Seconds from a save to the section's score, for each run, by the function that was edited."""
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
            times: dict[str, list[float]] = {name: [] for name in functions}
            for number in range(runs * len(functions)):
                time.sleep(SETTLED_S)
                place = number % len(functions)
                pieces[place + 1] = f"    edited = {number}\n{pieces[place + 1]}"
                started = time.perf_counter()
                file.write_text(MARK.join(pieces), encoding="utf-8")
                _until_score(process, section)
                times[functions[place]].append(time.perf_counter() - started)
            return times
        finally:
            process.terminate()
            process.wait()


def _until_score(process: subprocess.Popen[str], section: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(f"{section} ") and "/" in line:
            return
    raise SystemExit("lab watch ended before a verdict")


def main() -> None:
    """Runs the benchmark and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", default=list(SECTIONS))
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    table = Table("edited", "median", "smallest", "largest", title="from save to verdict, seconds")
    for section in options.sections:
        for function, times in from_save_to_verdict(section, options.runs).items():
            table.add_row(f"{section}.{function}", *(f"{value:.2f}" for value in (statistics.median(times), min(times), max(times))))
    Console().print(table)


if __name__ == "__main__":
    main()
