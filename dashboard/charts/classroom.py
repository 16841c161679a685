"""Charts of a class: scores, items, timings and curves with their bands, two runs side by side, one's own place."""

from __future__ import annotations

import math

import altair as alt
import numpy as np
import pandas as pd

from dashboard.figure import BLUE, COLOURS, GREY, HEIGHT, PURPLE, VERMILION, Figure, rows_height, scale
from dashboard.measured import BATCH
from dashboard.statistics import band, correlation, wilson
from grader.lab import BATCH_SIZES

BINS = (5.0, 1.0, 0.25)
"""Points in one bar of the distribution: the first of these with which there are BARS bars at least."""

BARS = 8


def distribution(scores: pd.Series, points: float) -> Figure:
    """How many submissions have how many points, with the median.

    Args:
        scores: A score a submission, without those that are not graded.
        points: Points that there were.
    """
    most = max(points, float(scores.max()) if len(scores) else 0.0)
    width = next((width for width in BINS if most >= BARS * width), BINS[-1])
    edges = np.arange(max(1, math.ceil(most / width)) + 1) * width
    # NumPy's last bin takes its right edge too, so a full score has no bar of its own.
    counts, _ = np.histogram(np.clip(scores, 0, edges[-1]), bins=edges)
    frame = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "submissions": counts})
    median = float(scores.median()) if len(scores) else 0.0
    bars = (
        alt.Chart(frame)
        .mark_bar(color=BLUE, binSpacing=1)
        .encode(
            x=alt.X("from:Q", bin="binned", title="score, points"),
            x2=alt.X2("to:Q"),
            y=alt.Y("submissions:Q", title="submissions", axis=alt.Axis(tickMinStep=1, format="d")),
            tooltip=[alt.Tooltip("from"), alt.Tooltip("to"), alt.Tooltip("submissions")],
        )
    )
    rule = alt.Chart(pd.DataFrame({"median": [median]})).mark_rule(color=VERMILION, size=3, strokeDash=[6, 4])
    return Figure(
        "distribution",
        f"Scores of {len(scores)} submissions: the median is {median:g}",
        (bars + rule.encode(x=alt.X("median:Q"), tooltip=[alt.Tooltip("median", format=".2f")])).properties(height=HEIGHT),
        f"{len(scores)} submissions: mean {scores.mean():.1f}, median {median:g}, standard deviation {scores.std():.1f}, "
        f"from {scores.min():g} to {scores.max():g} of {points:g} points."
        if len(scores)
        else "No submission is graded yet.",
        frame,
        "Dashed: the median.",
    )


def item_table(items: pd.DataFrame) -> pd.DataFrame:
    """Difficulty with its interval and discrimination of each check.

    Args:
        items: As `WholeClass.items` gives them.

    Returns:
        `check`, `title`, `points`, `students`, `difficulty` (share of its points that the class earned), `passed`, `low`, `high`
        (Wilson, of the share that passed), `discrimination` (correlation with the rest of the score; NaN where it is not told), `mean_s`,
        `longest_s`.
    """
    rows = []
    for item in items.itertuples():
        low, high = wilson(item.passed, item.students)
        told = correlation(item.students, item.sum_x, item.sum_y, item.sum_xx, item.sum_yy, item.sum_xy)
        rows.append(
            {
                "check": item.name,
                "title": item.title,
                "points": item.points,
                "students": item.students,
                "difficulty": item.sum_x / item.students,
                "passed": item.passed / item.students,
                "low": low,
                "high": high,
                "discrimination": np.nan if told is None else told,
                "mean_s": item.mean_s,
                "longest_s": item.longest_s,
            }
        )
    return pd.DataFrame(
        rows,
        columns=["check", "title", "points", "students", "difficulty", "passed", "low", "high", "discrimination", "mean_s", "longest_s"],
    )


def difficulty(table: pd.DataFrame) -> Figure:
    """The share of the class that passed each check, with Wilson's 95 % interval, hardest first."""
    frame = table.sort_values("passed", ignore_index=True)
    labels = alt.Axis(labelLimit=260, labelOverlap=False)
    base = alt.Chart(frame).encode(y=alt.Y("check:N", sort=None, title=None, axis=labels))
    x = alt.X("low:Q", title="share that passed, %", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))
    chart = base.mark_rule(color=GREY, size=3).encode(x=x, x2=alt.X2("high:Q")) + base.mark_point(filled=True, color=BLUE, size=60).encode(
        x=alt.X("passed:Q"),
        tooltip=[alt.Tooltip("check"), alt.Tooltip("title"), alt.Tooltip("passed", format=".0%"), alt.Tooltip("students")],
    )
    hardest = ", ".join(f"{row.check} {row.passed:.0%}" for row in frame.head(5).itertuples())
    return Figure(
        "difficulty",
        f"How hard each check is: {frame.iloc[0]['check']} was passed by {frame.iloc[0]['passed']:.0%}",
        chart.properties(height=rows_height(len(frame), 20)),
        f"Checks by the share that passed, hardest first: {hardest}.",
        frame,
        "The line is Wilson's 95 % interval.",
    )


def discrimination(table: pd.DataFrame) -> Figure:
    """Difficulty against discrimination of each check."""
    frame = table.dropna(subset=["discrimination"])
    chart = (
        alt.Chart(frame)
        .mark_point(filled=True, color=BLUE, size=80)
        .encode(
            x=alt.X("passed:Q", title="share that passed, %", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("discrimination:Q", title="correlation with the rest of the score", scale=alt.Scale(domain=[-1, 1])),
            tooltip=[
                alt.Tooltip("check"),
                alt.Tooltip("title"),
                alt.Tooltip("passed", format=".0%"),
                alt.Tooltip("discrimination", format=".2f"),
            ],
        )
    )
    zero = alt.Chart(pd.DataFrame({"y": [0.0]})).mark_rule(color=GREY, strokeDash=[4, 4]).encode(y=alt.Y("y:Q"))
    low = frame.sort_values("discrimination").head(3)
    return Figure(
        "discrimination",
        "Which checks tell strong submissions from weak ones",
        (zero + chart).properties(height=HEIGHT),
        f"{len(frame)} checks; those that discriminate least: "
        + ", ".join(f"{row.check} {row.discrimination:.2f}" for row in low.itertuples())
        + ".",
        frame,
        "Point-biserial correlation, corrected: the check itself is not part of the score. Near or below 0, look at the check.",
    )


def _over_class(
    frame: pd.DataFrame, x: str, x_title: str, y: str, y_title: str, chosen: list[str], *, log: bool = False
) -> tuple[alt.LayerChart, pd.DataFrame]:
    summary = band(frame, x, y)
    x_scale = alt.Scale(type="log", nice=False, padding=20) if log else alt.Scale(nice=False, zero=False)
    places = alt.Axis(values=sorted(int(place) for place in summary[x]), format="d", labelOverlap=True)
    base = alt.Chart(summary).encode(x=alt.X(f"{x}:Q", title=x_title, scale=x_scale, axis=places))
    chart = base.mark_area(color=BLUE, opacity=0.2).encode(
        y=alt.Y("low:Q", title=y_title, scale=alt.Scale(zero=False)), y2=alt.Y2("high:Q")
    ) + base.mark_line(color=BLUE, point=True).encode(
        y=alt.Y("median:Q"),
        tooltip=[
            alt.Tooltip(x),
            alt.Tooltip("low", format=".3g"),
            alt.Tooltip("median", format=".3g"),
            alt.Tooltip("high", format=".3g"),
            alt.Tooltip("students"),
        ],
    )
    some = frame[frame["students"].isin(chosen)]
    if len(some):
        chart = chart + alt.Chart(some).mark_line(point=True).encode(
            x=alt.X(f"{x}:Q"),
            y=alt.Y(f"{y}:Q"),
            color=alt.Color("students:N", scale=scale(sorted(chosen), COLOURS[1:]), legend=alt.Legend(orient="top", title=None)),
            strokeDash=alt.StrokeDash("students:N", legend=None),
            tooltip=[alt.Tooltip("students"), alt.Tooltip(x), alt.Tooltip(y, format=".3g")],
        )
    return chart, summary


def class_throughput(samples: pd.DataFrame, chosen: list[str]) -> Figure:
    """Throughput against batch size over the class: median, middle half, and chosen students; at the lab's sizes where there are any."""
    frame = samples[samples["mode"] == BATCH]
    asked = frame[frame["batch_size"].isin(BATCH_SIZES)]
    frame = asked if len(asked) else frame
    chart, summary = _over_class(
        frame, "batch_size", "batch size (log scale)", "images_per_second", "throughput, images a second", chosen, log=True
    )
    words = ", ".join(f"batch size {row.batch_size} {row.median:.0f}" for row in summary.itertuples())
    return Figure(
        "class-throughput",
        f"Throughput of {frame['submission_id'].nunique()} submissions against batch size",
        chart.properties(height=HEIGHT),
        f"Median throughput, images a second: {words}.",
        summary,
        "Line: median of the class; band: middle half. Compare only within one kind of machine.",
    )


def class_curves(curves: pd.DataFrame, chosen: list[str]) -> Figure:
    """Validation accuracy against epochs over the class: median, middle half, and chosen students."""
    chart, summary = _over_class(curves, "epoch", "epoch", "val_accuracy", "validation accuracy, fraction", chosen)
    last = summary.iloc[-1]
    return Figure(
        "class-curves",
        f"Validation accuracy of {curves['submission_id'].nunique()} submissions against epochs",
        chart.properties(height=HEIGHT),
        f"The median grows from {summary.iloc[0]['median']:.3f} to {last['median']:.3f} at epoch {last['epoch']:.0f}.",
        summary,
        "Line: median of those who trained that long; band: middle half.",
    )


def two_runs(frame: pd.DataFrame, before: str, after: str) -> Figure:
    """Scores of one run against those of another.

    Args:
        frame: As `WholeClass.compare` gives it, rows with both scores.
        before: Name of the first run.
        after: Name of the second run.
    """
    top = max(float(frame[["before", "after"]].max().max()), 1.0)
    changed = frame[frame["change"].abs() > 1e-9]
    same = pd.DataFrame({"before": [0.0, top], "after": [0.0, top]})
    base = alt.Chart(same).mark_line(color=GREY, strokeDash=[4, 4]).encode(x=alt.X("before:Q"), y=alt.Y("after:Q"))
    chart = (
        alt.Chart(frame)
        .mark_point(filled=True, size=60)
        .encode(
            x=alt.X("before:Q", title=f"score in {before}, points"),
            y=alt.Y("after:Q", title=f"score in {after}, points"),
            color=alt.condition("abs(datum.change) > 1e-9", alt.value(VERMILION), alt.value(BLUE)),
            tooltip=[alt.Tooltip("students"), alt.Tooltip("label"), alt.Tooltip("before"), alt.Tooltip("after"), alt.Tooltip("change")],
        )
    )
    return Figure(
        "two-runs",
        f"{len(changed)} of {len(frame)} scores differ between the runs",
        (base + chart).properties(height=360),
        f"{(frame['change'] > 0).sum()} scores are higher, {(frame['change'] < 0).sum()} lower, {len(frame) - len(changed)} the same.",
        frame,
        "On the dashed line nothing changed; vermilion points did.",
    )


def standing(own: float, others: pd.Series, measure: str, better: str) -> Figure:
    """One's own figure among others on the same kind of machine, without names.

    Args:
        own: One's own value.
        others: The others' values.
        measure: What is measured, with its unit.
        better: `higher` or `lower`.
    """
    beaten = int((others < own).sum() if better == "higher" else (others > own).sum())
    frame = pd.DataFrame({"value": others.sort_values().to_numpy()})
    points = (
        alt.Chart(frame)
        .mark_tick(color=GREY, thickness=2, size=28, opacity=0.8)
        .encode(x=alt.X("value:Q", title=measure, scale=alt.Scale(zero=False)), tooltip=[alt.Tooltip("value", format=".4g")])
    )
    middle = alt.Chart(pd.DataFrame({"value": [float(others.median())]})).mark_rule(color=PURPLE, strokeDash=[4, 4], size=2)
    mine = alt.Chart(pd.DataFrame({"value": [own]})).mark_point(color=VERMILION, filled=True, size=160, shape="diamond")
    chart = (
        points
        + middle.encode(x=alt.X("value:Q"))
        + mine.encode(x=alt.X("value:Q"), tooltip=[alt.Tooltip("value", format=".4g", title="yours")])
    )
    return Figure(
        f"standing-{measure.split(',')[0].replace(' ', '-')}",
        f"{measure.capitalize()}: better than {beaten} of {len(others)} on the same kind of machine",
        chart.properties(height=90),
        f"Yours is {own:.4g}; the others' median is {others.median():.4g}, from {others.min():.4g} to {others.max():.4g}.",
        frame,
        "Vermilion diamond: yours. Dashed: the median. A tick is one other submission.",
    )
