"""Whether a timing may be believed: VALID, UNSTABLE or INVALID, with yes or no for each rule.

The rules are those of the lab's handout for a valid timing, after pyperf, hyperfine and Google Benchmark. A verdict here is
information: it never changes a grade.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

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


def judge(samples_s: Sequence[float], *, images: int, macs_per_image: float, peak_macs_per_s: float | None = None) -> Verdict:
    """Judges the raw samples of one setting.

    Args:
        samples_s: Totals of all repeats in their order, seconds.
        images: Images in each repeat.
        macs_per_image: Multiply-accumulates of one image.
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
        floor_s = images * macs_per_image / peak_macs_per_s
        kept = float(samples.min()) >= floor_s
        rules.append(Rule("not faster than the arithmetic allows", kept, f"{samples.min():.3g} s, at least {floor_s:.3g} s", fatal=True))
    broken = [rule for rule in rules if not rule.kept]
    if not broken:
        return Verdict(VALID, tuple(rules))
    word = INVALID if any(rule.fatal for rule in broken) else UNSTABLE
    return Verdict(word, tuple(rules), _ADVICE[broken[-1].name] if broken[-1].fatal else _ADVICE[broken[0].name])


def quick_word(samples: pd.DataFrame) -> pd.Series:
    """The verdict of many settings at once, by the rules that need no single sample: number, shortest, variation.

    Args:
        samples: `samples`, `least_s` and `variation`, one row a setting.

    Returns:
        `VALID` or `UNSTABLE` for each row.
    """
    kept = (samples["samples"] >= FEWEST) & (samples["least_s"] >= SHORTEST_S) & (samples["variation"] < LARGEST_VARIATION)
    return kept.map({True: VALID, False: UNSTABLE})


_ADVICE: Final = {
    f"at least {FEWEST} samples": "Measure with the standard plan: lab measure assignment --fresh",
    "each sample lasts 1 ms or more": "Time more images in one sample.",
    "varies by less than 10 %": "Close other programs and measure again: lab measure assignment --fresh",
    "no drift from the first half to the second": "Let the machine reach a steady temperature, on mains power, and measure again.",
    "no outliers": "Something disturbed a repeat; close other programs and measure again.",
    "not faster than the arithmetic allows": "No machine is that fast: every image must go through the model between the clock readings.",
}
