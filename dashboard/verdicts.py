"""Verdicts of many timings at once, for a table of a whole class."""

from __future__ import annotations

import pandas as pd

from grader.checks.verdict import FEWEST, LARGEST_VARIATION, SHORTEST_S, UNSTABLE, VALID


def quick_word(samples: pd.DataFrame) -> pd.Series:
    """The verdict of many settings at once, by the rules that need no single sample: number, shortest, variation.

    Args:
        samples: `samples`, `least_s` and `variation`, one row a setting.

    Returns:
        `VALID` or `UNSTABLE` for each row.
    """
    kept = (samples["samples"] >= FEWEST) & (samples["least_s"] >= SHORTEST_S) & (samples["variation"] < LARGEST_VARIATION)
    return kept.map({True: VALID, False: UNSTABLE})
