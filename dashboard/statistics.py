"""The statistics of the pages: intervals, item analysis, bands."""

from __future__ import annotations

import math
from typing import Final

import pandas as pd

FEWEST_STUDENTS: Final = 20
"""Students from which an item's discrimination is told; below, chance decides."""


def wilson(successes: float, total: float, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval (Wilson, 1927).

    Args:
        successes: Successes, 0 to `total`.
        total: Trials.
        z: Quantile of the normal distribution; 1.96 gives 95 %.

    Returns:
        Both bounds, in [0, 1]; (0, 1) when there was no trial.
    """
    if total <= 0:
        return 0.0, 1.0
    share = successes / total
    centre = share + z * z / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    below = 1 + z * z / total
    return max(0.0, (centre - half) / below), min(1.0, (centre + half) / below)


def correlation(n: float, sum_x: float, sum_y: float, sum_xx: float, sum_yy: float, sum_xy: float) -> float | None:
    """Pearson's correlation from sums; with a 0/1 `x` it is the point-biserial one.

    Returns:
        -1 to 1; None for fewer than `FEWEST_STUDENTS` pairs, or where one of the two never varies.
    """
    if n < FEWEST_STUDENTS:
        return None
    spread_x, spread_y = n * sum_xx - sum_x * sum_x, n * sum_yy - sum_y * sum_y
    if spread_x <= 1e-9 or spread_y <= 1e-9:
        return None
    return max(-1.0, min(1.0, (n * sum_xy - sum_x * sum_y) / math.sqrt(spread_x * spread_y)))


def band(frame: pd.DataFrame, by: str, value: str) -> pd.DataFrame:
    """Median and middle half of a value over the class.

    Args:
        frame: A row a student and place.
        by: Column of the place (an epoch, a batch size).
        value: Column of the value.

    Returns:
        `by`, `low` (first quartile), `median`, `high` (third quartile), `students`.
    """
    grouped = frame.groupby(by)[value]
    quartiles = grouped.quantile([0.25, 0.5, 0.75]).unstack()
    quartiles.columns = ["low", "median", "high"]
    return quartiles.assign(students=grouped.count()).reset_index()
