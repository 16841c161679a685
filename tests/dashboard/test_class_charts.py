"""Charts of a class: every score stands in the bar that it belongs to, and one submission's odd numbers stretch no chart."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts.classroom import class_throughput, distribution
from dashboard.measured import BATCH
from grader.lab import BATCH_SIZES


@given(st.sampled_from([0.0, 1.0, 2.0, 7.0, 20.0, 43.0, 100.0]).flatmap(lambda points: st.tuples(st.just(points), _scores(points))))
def test_every_score_is_in_its_bar(drawn: tuple[float, list[float]]) -> None:
    """Whole class or one check, few points or many, the full score and one above it: the bars hold all scores, in their places."""
    points, scores = drawn
    bars = distribution(pd.Series(scores, dtype=float), points).data
    last = len(bars) - 1
    for place, bar in enumerate(bars.itertuples()):
        low, high = bar[1], bar[2]
        inside = [score for score in scores if low <= score < high or (place == last and score == high)]
        assert bar.submissions == len(inside)
    assert bars["submissions"].sum() == len(scores)
    assert bars["to"].iloc[-1] >= points


def _scores(points: float) -> st.SearchStrategy[list[float]]:
    return st.lists(st.integers(0, int(4 * points) + 2).map(lambda quarters: quarters / 4) | st.just(points), max_size=12)


def test_an_invented_batch_size_stretches_no_chart() -> None:
    """A submission that claims a batch of a million is not on the chart of the class; where nobody has the lab's sizes, all are."""
    columns = ["submission_id", "students", "mode", "batch_size", "images_per_second"]
    rows = [(number, f"student {number}", BATCH, size, 300.0) for number in range(5) for size in BATCH_SIZES]
    odd = (5, "student 5", BATCH, 10**6, 300.0)
    figure = class_throughput(pd.DataFrame([*rows, odd], columns=columns), [])
    assert [*figure.data["batch_size"]] == [*BATCH_SIZES]
    assert [*class_throughput(pd.DataFrame([odd], columns=columns), []).data["batch_size"]] == [10**6]
