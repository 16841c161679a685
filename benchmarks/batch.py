"""What grading a class costs: against a fresh pytest process for each submission, with more processes, and memory over a long run.

    python benchmarks/batch.py compare [--submissions 12]     # the batch, and `pytest grader` started anew for each submission
    python benchmarks/batch.py cores [--submissions 12]       # submissions a minute with 1, 2, ... processes
    python benchmarks/batch.py memory [--submissions 1000]    # memory of all processes of one run, over its course

Submissions are varied copies of the reference, each another content; all ways run the same checks. "Own" is the time that the checks
take with a warm worker, as the store has it; what is beyond it is overhead. Memory is the sum of the proportional set sizes (PSS) of the
command and of all it started, sampled.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import sqlalchemy as sa

from grader.bank import write_reference
from grader.batch.pool import processes_here
from grader.store import schema
from grader.store.results import Results

SOLUTIONS = Path(__file__).parents[1] / "solutions"
CHECKS = "epochs_needed or output_size or wilson or class_counts or image_facts"
SAMPLE_S = 1.0


def make_class(folder: Path, count: int) -> None:
    """Writes varied copies of the reference."""
    for number in range(count):
        place = write_reference(SOLUTIONS, folder / f"s{number:05}")
        with (place / "data.py").open("a", encoding="utf-8") as file:
            file.write(f"\n# copy {number}\n")


def batch(folder: Path, store: Path, keyword: str, processes: int) -> subprocess.Popen[bytes]:
    """Starts `lab batch`."""
    command = [sys.executable, "-m", "grader", "batch", str(folder), "--db", str(store), "-k", keyword, "--unsandboxed"]
    return subprocess.Popen([*command, "--processes", str(processes)], stdout=subprocess.DEVNULL)


def timed_batch(folder: Path, store: Path, keyword: str, processes: int) -> float:
    """Seconds of one whole run, from the command's start to its end."""
    started = time.perf_counter()
    if batch(folder, store, keyword, processes).wait() != 0:
        raise SystemExit("the batch failed")
    return time.perf_counter() - started


def own_s(store: Path) -> float:
    """Seconds of all checks of a store together."""
    with Results.open(str(store)) as opened, opened.read() as session:
        return session.scalar(sa.select(sa.func.sum(schema.Check.duration_s))) or 0.0


def compare(work: Path, count: int, keyword: str) -> None:
    """The batch against a fresh process a submission; and what the second run costs."""
    make_class(work / "class", count)
    processes, _ = processes_here()
    started = time.perf_counter()
    for place in sorted((work / "class").iterdir()):
        command = [sys.executable, "-m", "pytest", "grader", "--submission", str(place), "-k", keyword]
        subprocess.run(command, cwd=SOLUTIONS.parent, stdout=subprocess.DEVNULL, check=False)
    fresh_s = time.perf_counter() - started
    one_s = timed_batch(work / "class", work / "one.db", keyword, 1)
    all_s = timed_batch(work / "class", work / "all.db", keyword, processes)
    again_s = timed_batch(work / "class", work / "all.db", keyword, processes)
    own = own_s(work / "one.db")
    print(f"{count} submissions, checks: {keyword}; the checks themselves take {own:.1f} s with one warm process")
    for name, seconds, at_once in (
        ("fresh pytest process each", fresh_s, 1),
        ("lab batch, one process", one_s, 1),
        ("lab batch", all_s, processes),
    ):
        beyond = f"{max(0.0, seconds - own) / count:.2f} s a submission beyond the checks" if at_once == 1 else f"{at_once} processes"
        print(f"  {name:28} {seconds:7.1f} s   {count / seconds * 60:6.1f} a minute   {beyond}")
    print(f"  {'the same again':28} {again_s:7.1f} s")


def cores(work: Path, count: int, keyword: str) -> None:
    """Submissions a minute with more processes."""
    make_class(work / "class", count)
    for processes in range(1, (os.cpu_count() or 1) + 1):
        seconds = timed_batch(work / "class", work / f"{processes}.db", keyword, processes)
        print(f"{processes} processes: {seconds:.1f} s, {count / seconds * 60:.1f} submissions a minute")


def memory(work: Path, count: int, keyword: str) -> None:
    """Memory of one long run, in ten parts of its course."""
    make_class(work / "class", count)
    processes, _ = processes_here()
    started = time.perf_counter()
    running = batch(work / "class", work / "long.db", keyword, processes)
    samples: list[tuple[float, float]] = []
    while running.poll() is None:
        samples.append((_pss(running.pid, children=False), _pss(running.pid, children=True)))
        time.sleep(SAMPLE_S)
    seconds = time.perf_counter() - started
    print(f"{count} submissions in {seconds:.0f} s with {processes} processes; memory in MiB, largest in each tenth of the run:")
    for name, place in (("command alone", 0), ("with graders, zygotes and workers", 1)):
        parts = [samples[len(samples) * part // 10 : len(samples) * (part + 1) // 10] for part in range(10)]
        print(f"  {name:34}", *(f"{max((sample[place] for sample in part), default=0):6.0f}" for part in parts))


def _pss(pid: int, *, children: bool) -> float:
    total = 0
    try:
        process = psutil.Process(pid)
        for one in [process, *(process.children(recursive=True) if children else [])]:
            try:
                total += one.memory_full_info().pss
            except psutil.Error:
                continue
    except psutil.Error:
        pass
    return total / 2**20


def main() -> None:
    """Runs one of the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["compare", "cores", "memory"])
    parser.add_argument("--submissions", type=int, default=0)
    parser.add_argument("--keyword", default=CHECKS)
    given = parser.parse_args()
    count = given.submissions or (1000 if given.what == "memory" else 12)
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as work:
        {"compare": compare, "cores": cores, "memory": memory}[given.what](Path(work), count, given.keyword)


if __name__ == "__main__":
    main()
