"""Charts of what a network confuses."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.figure import Figure, rows_height

_LIST_LONGEST = 6


def confusion(frame: pd.DataFrame, factor: str, order: tuple[str, ...]) -> Figure:
    """What images of one factor's values are taken for.

    Args:
        frame: As `pictures.Seen.confusions` gives it.
        factor: `shape`, `texture` or `colour`.
        order: The factor's values.
    """
    rows = frame[frame["factor"] == factor].copy()
    totals = rows.groupby("truth")["images"].transform("sum")
    rows["share"] = rows["images"] / totals
    right = rows[rows["truth"] == rows["guess"]]["images"].sum() / max(rows["images"].sum(), 1)
    base = alt.Chart(rows).encode(
        x=alt.X(
            "guess:N",
            sort=list(order),
            title=f"{factor} it is taken for",
            axis=alt.Axis(labelAngle=-40 if len(order) > _LIST_LONGEST else 0),
        ),
        y=alt.Y("truth:N", sort=list(order), title=f"{factor} it is", axis=alt.Axis(labelOverlap=False)),
        tooltip=[alt.Tooltip("truth"), alt.Tooltip("guess"), alt.Tooltip("images"), alt.Tooltip("share", format=".0%")],
    )
    chart = base.mark_rect().encode(
        color=alt.Color(
            "share:Q", title="share", scale=alt.Scale(scheme="cividis", domain=[0, 1]), legend=alt.Legend(format=".0%", orient="right")
        )
    )
    text = base.mark_text(fontSize=11).encode(
        text=alt.Text("share:Q", format=".0%"), color=alt.condition(alt.datum.share > 0.5, alt.value("#000000"), alt.value("#FFFFFF"))
    )
    wrong = rows[rows["truth"] != rows["guess"]].sort_values("images", ascending=False).head(3)
    worst = ", ".join(f"{row.truth} taken for {row.guess} ({row.images} images)" for row in wrong.itertuples()) or "none"
    return Figure(
        f"confusion-{factor}",
        f"Confusion by {factor}: {right:.0%} right",
        (chart + text).properties(height=rows_height(len(order), 36)),
        f"A table of true {factor} against the one it is taken for; {right:.0%} are right; most frequent confusions: {worst}.",
        rows,
        "Rows are the truth and add up to 100 %.",
    )
