"""Whether a timing may be believed: VALID, UNSTABLE or INVALID, with yes or no for each rule.

The rules are those of a valid timing, after pyperf, hyperfine and Google Benchmark. `judge` looks at the repeats of
one setting, `judge_together` at whether a submission's figures can all be true. UNSTABLE is information and never costs a point.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from grader.artifacts import Kernels, TimingRun, Timings
from grader.checks.oracle import costs, lab_network
from grader.lab import BATCH_IMAGES, IMAGE_SHAPE

FEWEST: Final = 10
"""Samples from which a spread can be told (pyperf, and the lab's plan)."""
SHORTEST_S: Final = 1e-3
"""A raw sample that is shorter drowns in the clock's own noise."""
LARGEST_VARIATION: Final = 0.10
"""Coefficient of variation from which a timing is unstable (pyperf)."""
OUTLIER: Final = 14.8
"""|x - median| / MAD from which a sample is an outlier (hyperfine: a modified Z-score of 10)."""
LARGEST_DRIFT: Final = 0.10
"""Difference of the medians of both halves, as a share of the median."""

MACS_PER_IMAGE: Final = sum(cost.macs for cost in costs(lab_network(), IMAGE_SHAPE))
"""Multiply-accumulates of one image through the lab's network, about 131.6 million."""
SAVED: Final = 2.5
"""Arithmetic that a library may save: a Winograd convolution of a 3x3 filter takes 2.25 times fewer multiplications (Lavin and Gray,
2016), and the calibration may miss the peak by a tenth."""
ROUNDED: Final = 0.02
"""Relative error of figures that were rounded to three digits."""
NO_TREND: Final = 3.0
"""A larger batch shares the cost of a call among more images, so its total is smaller or, where caches overflow, a little larger. So many
times the total of a smaller batch, in every repeat, is no trend but a fault."""
ONLINE_AHEAD: Final = 1.25
"""One image a call pays for every call; on a GPU or a CPU it is never so much ahead of the best batch size but by noise."""
STOPWATCH: Final = 4.0
"""Factor within which the trace of an image and its latency by the stopwatch agree. Measured with the grader's predict function: 0.6 to
1.6; `model.predict` in a loop, 10 to 30."""

WITHIN_PEAK: Final = "not faster than the arithmetic allows"
FOLLOWS_THROUGHPUT: Final = "throughput follows from the total beside it"
FOLLOWS_LATENCY: Final = "latency follows from the total beside it"
OF_ITS_REPEATS: Final = "the total is one of its repeats"
PARTS_BELOW: Final = "more images take more time"
A_TREND: Final = "batch sizes show a trend"
BATCH_AHEAD: Final = "one image a call is not ahead of batches"
TRACE_AGREES: Final = f"trace and stopwatch agree within a factor of {STOPWATCH:g}"

VALID, UNSTABLE, INVALID = "VALID", "UNSTABLE", "INVALID"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, and whether a timing keeps it.

    Attributes:
        name: The rule in words.
        kept: Whether it holds.
        found: What was found, with its unit.
        fatal: A timing that breaks it is impossible, and not only noisy.
    """

    name: str
    kept: bool
    found: str
    fatal: bool = False

    @property
    def summary(self) -> str:
        """What is wrong when it is not kept, in words."""
        return _BROKEN.get(self.name, f"it breaks the rule: {self.name}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to think of a timing.

    Attributes:
        word: `VALID`, `UNSTABLE` or `INVALID`.
        rules: Every rule, kept or not.
        advice: One recommendation; empty for a valid timing.
    """

    word: str
    rules: tuple[Rule, ...]
    advice: str = ""


def judge(samples_s: Sequence[float], *, images: int, peak_macs_per_s: float | None = None) -> Verdict:
    """Judges the raw samples of one setting.

    Args:
        samples_s: Totals of all repeats in their order, seconds.
        images: Images in each repeat.
        peak_macs_per_s: The machine's measured peak; without one the rule about arithmetic is left out.

    Returns:
        The verdict.
    """
    samples = np.asarray(samples_s, float)
    median = float(np.median(samples))
    deviation = float(np.median(np.abs(samples - median)))
    variation = float(np.std(samples, ddof=1) / samples.mean()) if len(samples) > 1 else 0.0
    half = len(samples) // 2
    drift = abs(float(np.median(samples[half:]) - np.median(samples[:half]))) / median if half else 0.0
    # With a deviation of nothing every difference would be an outlier.
    worst = float(np.max(np.abs(samples - median)) / deviation) if deviation > 0 else 0.0
    rules = [
        Rule(f"at least {FEWEST} samples", len(samples) >= FEWEST, f"{len(samples)}"),
        Rule("each sample lasts 1 ms or more", float(samples.min()) >= SHORTEST_S, f"{samples.min() * 1e3:.3g} ms"),
        Rule("varies by less than 10 %", variation < LARGEST_VARIATION, f"{variation:.1%}"),
        Rule("no drift from the first half to the second", drift < LARGEST_DRIFT, f"{drift:.1%}"),
        Rule("no outliers", worst <= OUTLIER, f"{worst:.1f} deviations"),
    ]
    if peak_macs_per_s:
        floor_s = images * MACS_PER_IMAGE / (SAVED * peak_macs_per_s)
        kept = float(samples.min()) >= floor_s
        rules.append(Rule(WITHIN_PEAK, kept, f"{samples.min():.3g} s, at least {floor_s:.3g} s", fatal=True))
    return _verdict(rules)


def judge_together(timings: Timings, kernels: Kernels | None = None, peak_macs_per_s: float | None = None) -> Verdict:
    """Judges whether all figures of a submission can be true at once.

    Args:
        timings: Online and batch inference.
        kernels: The profiles, where there are any.
        peak_macs_per_s: The machine's measured peak; without one the rule about arithmetic is left out.

    Returns:
        The verdict; rules whose parts were not measured are left out.
    """
    online = sorted(timings.online, key=lambda run: run.count)
    batches = sorted(timings.batches, key=lambda run: run.batch_size)
    rules = [
        *(rule for run in (*online, *batches) for rule in _figures(run)),
        _parts_below_totals(online),
        _trend(batches),
        _online_behind(online, batches),
    ]
    if kernels is not None and online:
        rules.append(_trace_agrees(kernels, online[-1]))
    if peak_macs_per_s:
        rules.append(_within_peak(kernels, (*online, *batches), peak_macs_per_s))
    return _verdict(rules)


def _figures(run: TimingRun) -> list[Rule]:
    what = f"{run.count} images in batches of {run.batch_size}"
    calls = -(-run.count // max(1, run.batch_size))
    throughput, latency_ms = run.count / run.total_s, 1000 * run.total_s / max(1, calls)
    low, high = min(run.totals_s) * (1 - ROUNDED), max(run.totals_s) * (1 + ROUNDED)
    return [
        Rule(
            FOLLOWS_THROUGHPUT,
            abs(run.images_per_second - throughput) <= ROUNDED * throughput,
            f"{what}: {run.total_s:.4g} s makes {throughput:.4g} images a second, and {run.images_per_second:.4g} stands there",
            fatal=True,
        ),
        Rule(
            FOLLOWS_LATENCY,
            abs(run.latency_ms - latency_ms) <= ROUNDED * latency_ms,
            f"{what}: {run.total_s:.4g} s makes {latency_ms:.4g} ms a call, and {run.latency_ms:.4g} stands there",
            fatal=True,
        ),
        Rule(OF_ITS_REPEATS, low <= run.total_s <= high, f"{what}: {run.total_s:.4g} s, repeats {low:.4g} to {high:.4g} s", fatal=True),
    ]


def _parts_below_totals(online: Sequence[TimingRun]) -> Rule:
    pairs = [(few, many) for few, many in itertools.pairwise(online) if many.total_s <= few.total_s]
    found = "; ".join(f"{many.count} images {many.total_s:.4g} s, {few.count} of them {few.total_s:.4g} s" for few, many in pairs)
    totals = ", ".join(f"{run.count} in {run.total_s:.4g} s" for run in online)
    return Rule(PARTS_BELOW, not pairs, found or totals, fatal=True)


def _trend(batches: Sequence[TimingRun]) -> Rule:
    same = [run for run in batches if run.count == BATCH_IMAGES]
    pairs = [(one, other) for one, other in itertools.combinations(same, 2) if min(other.totals_s) > NO_TREND * max(one.totals_s)]
    totals = ", ".join(f"{run.batch_size}: {run.total_s:.4g} s" for run in same)
    return Rule(A_TREND, not pairs, f"{BATCH_IMAGES} images by batch size: {totals}", fatal=True)


def _online_behind(online: Sequence[TimingRun], batches: Sequence[TimingRun]) -> Rule:
    alone = [run.count / min(run.totals_s) for run in online if run.count == BATCH_IMAGES]
    together = [run.count / min(run.totals_s) for run in batches]
    kept = not alone or not together or max(alone) <= ONLINE_AHEAD * max(together)
    return Rule(
        BATCH_AHEAD, kept, f"{max(alone, default=0):.4g} images a second online, {max(together, default=0):.4g} in batches", fatal=True
    )


def _trace_agrees(kernels: Kernels, online: TimingRun) -> Rule:
    trace_ms = statistics.median(sample.end_to_end_us for sample in kernels.samples) / 1000
    ratio = online.latency_ms / trace_ms
    found = f"{online.latency_ms:.4g} ms an image by the stopwatch, {trace_ms:.4g} ms in the trace"
    return Rule(TRACE_AGREES, 1 / STOPWATCH <= ratio <= STOPWATCH, found)


def _within_peak(kernels: Kernels | None, runs: Sequence[TimingRun], peak_macs_per_s: float) -> Rule:
    floor_s = MACS_PER_IMAGE / (SAVED * peak_macs_per_s)
    fastest = min(
        [min(run.totals_s) / run.count for run in runs if run.count]
        + [sample.end_to_end_us / 1e6 for sample in (kernels.samples if kernels else ())]
    )
    return Rule(WITHIN_PEAK, fastest >= floor_s, f"{1e3 * fastest:.3g} ms for an image, at least {1e3 * floor_s:.3g} ms", fatal=True)


def _verdict(rules: Sequence[Rule]) -> Verdict:
    broken = [rule for rule in rules if not rule.kept]
    if not broken:
        return Verdict(VALID, tuple(rules))
    # What is impossible comes first: measuring again more quietly would not mend it.
    worst = next((rule for rule in broken if rule.fatal), broken[0])
    return Verdict(INVALID if worst.fatal else UNSTABLE, tuple(rules), _ADVICE[worst.name])


_BROKEN: Final = {
    WITHIN_PEAK: "an image is done in less time than its arithmetic takes on this machine",
    FOLLOWS_THROUGHPUT: "throughput does not follow from the total beside it",
    FOLLOWS_LATENCY: "latency does not follow from the total beside it",
    OF_ITS_REPEATS: "total_s lies outside its own repeats",
    PARTS_BELOW: "more images take less time than some of them alone: the total is below its parts",
    A_TREND: "the batch sizes show no trend: a larger batch takes many times as long as a smaller one",
    BATCH_AHEAD: "one image a call is faster than batches",
    TRACE_AGREES: "the stopwatch and the trace disagree about one image",
}

_AGAIN: Final = "measure again: lab measure assignment --fresh"

_ADVICE: Final = {
    f"at least {FEWEST} samples": "Measure with the standard plan: lab measure assignment --fresh",
    "each sample lasts 1 ms or more": "Time more images in one sample.",
    "varies by less than 10 %": f"Close other programs and {_AGAIN}",
    "no drift from the first half to the second": "Let the machine reach a steady temperature, on mains power, and measure again.",
    "no outliers": "Something disturbed a repeat; close other programs and measure again.",
    WITHIN_PEAK: (
        f"No machine is that fast: each image must go through the model between the two readings of the clock. Mend the loop, then {_AGAIN}"
    ),
    FOLLOWS_THROUGHPUT: f"Work images_per_second out of the total that it stands beside: count / total_s. Then {_AGAIN}",
    FOLLOWS_LATENCY: f"Latency is the time of one call: 1000 * total_s / calls. Mend it, then {_AGAIN}",
    OF_ITS_REPEATS: f"Leave the files in results/ as `lab measure` writes them; {_AGAIN}",
    PARTS_BELOW: (
        "More images cannot take less time than some of them: look for work outside the timed region, or a loop that stops early. "
        f"Then {_AGAIN}"
    ),
    A_TREND: (
        "Such totals are no effect of the batch size but a fault of the measurement: tracing, a first call, or other programs inside the "
        f"timed region. Warm up with full batches of each size before the clock starts, and {_AGAIN}"
    ),
    BATCH_AHEAD: f"A call costs something, and a batch pays it once: look whether the batch size really changes, and {_AGAIN}",
    TRACE_AGREES: (
        "The rest is the cost of a call, or of tracing, and not arithmetic: time the predict function itself after its warm-up, and not "
        f"model.predict or a first call in a loop; {_AGAIN}"
    ),
}
"""One recommendation for each rule."""
