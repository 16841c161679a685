"""Charts of a grade: points by section, and a student's attempts."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.figure import BLUE, GREY, Figure, rows_height
from grader.report.text import score, section_score
from grader.results import GradeResult


def points_by_section(result: GradeResult) -> Figure:
    """Points earned in each section, before the points that there were."""
    rows = [
        {
            "section": name,
            "points": sum(check.points for check in result.section(name)),
            "earned": sum(check.earned for check in result.section(name)),
            "score": section_score(result.section(name)),
        }
        for name in result.sections
    ]
    frame = pd.DataFrame(rows, columns=["section", "points", "earned", "score"])
    base = alt.Chart(frame).encode(y=alt.Y("score_label:N", sort=None, title=None, axis=alt.Axis(labelLimit=220)))
    base = base.transform_calculate(score_label="datum.section + '  ' + datum.score")
    chart = alt.layer(
        base.mark_bar(color=GREY, opacity=0.35).encode(
            x=alt.X("points:Q", title="points", axis=alt.Axis(tickCount=5)), tooltip=[alt.Tooltip("section:N"), alt.Tooltip("score:N")]
        ),
        base.mark_bar(color=BLUE).encode(x=alt.X("earned:Q"), tooltip=[alt.Tooltip("section:N"), alt.Tooltip("score:N")]),
    ).properties(height=rows_height(len(frame), 34))
    words = ", ".join(f"{row['section']} {row['score']}" for row in rows)
    return Figure(
        "points",
        f"Points by section: {score(result.score, result.points)} together",
        chart,
        f"Bars of points earned in each section: {words}.",
        frame,
        "Blue: earned. Grey: what there was to earn.",
    )


def attempts(frame: pd.DataFrame) -> Figure:
    """Scores of one student's attempts.

    Args:
        frame: `when` (timestamp), `attempt`, `score`, `points`, one row an attempt, oldest first.
    """
    last, best = frame.iloc[-1], frame.loc[frame["score"].idxmax()]
    base = alt.Chart(frame).encode(
        x=alt.X("attempt:O", title="attempt", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("score:Q", title="score, points", scale=alt.Scale(domain=[0, max(float(frame["points"].max()), 1.0)])),
        tooltip=[alt.Tooltip("attempt"), alt.Tooltip("when:T", format="%Y-%m-%d %H:%M"), alt.Tooltip("score"), alt.Tooltip("points")],
    )
    return Figure(
        "attempts",
        f"Own attempts: the last has {score(last['score'], last['points'])}",
        (base.mark_line(color=BLUE) + base.mark_point(color=BLUE, filled=True, size=70)).properties(height=240),
        f"{len(frame)} attempts; the first has {frame.iloc[0]['score']:g} points, the best {best['score']:g}, the last {last['score']:g}.",
        frame,
    )
