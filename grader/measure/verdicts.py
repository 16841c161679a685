"""What to think of what was measured, a line for each setting, told at the end of `lab measure`."""

from __future__ import annotations

from collections.abc import Iterator

from grader.artifacts import Kernels, Machine, Results, Timings
from grader.checks.verdict import VALID, Verdict, judge, judge_together
from grader.errors import ResultsError


def verdict_lines(results: Results) -> Iterator[str]:
    """Judges the timings of a submission.

    Args:
        results: Its results; without timings nothing is said.

    Yields:
        A line for each setting and one for all together; below one that is not VALID the rules that it breaks, and what to do.
    """
    try:
        timings, kernels, machine = results.read(Timings), results.read(Kernels), results.read(Machine)
    except ResultsError:
        return
    peak = machine.peak_macs_per_s
    for name, runs in (("online", timings.online), ("batches", timings.batches)):
        for run in runs:
            verdict = judge(run.totals_s, images=run.count, peak_macs_per_s=peak)
            yield from _lines(f"{name}, {run.count} images, batch size {run.batch_size}", verdict)
    yield from _lines("all figures together", judge_together(timings, kernels, peak))


def _lines(what: str, verdict: Verdict) -> Iterator[str]:
    yield f"  {verdict.word:<9} {what}"
    if verdict.word != VALID:
        for rule in verdict.rules:
            if not rule.kept:
                yield f"            not: {rule.name} ({rule.found})"
        yield f"            {verdict.advice}"
