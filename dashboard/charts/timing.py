"""Charts of latency and throughput: raw samples with their verdict, online against batch."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.figure import BLUE, GREY, HEIGHT, PURPLE, VERMILION, Figure, rows_height, scale
from dashboard.measured import BATCH, ONLINE, Measured
from grader.checks.verdict import INVALID, UNSTABLE, VALID, Verdict, judge

MODES = [ONLINE, BATCH]


def settings(measured: Measured) -> list[tuple[str, pd.DataFrame, Verdict]]:
    """Every setting that was timed, with its samples in order and its verdict; the online ones first."""
    found = []
    for mode in MODES:
        for (count, batch_size), rows in measured.samples[measured.samples["mode"] == mode].groupby(["count", "batch_size"]):
            label = f"{count} images, one a call" if mode == ONLINE else f"{count} images in batches of {batch_size}"
            rows = rows.sort_values("repeat")
            verdict = judge(rows["total_s"].tolist(), images=int(count), peak_macs_per_s=measured.peak_macs_per_s)
            found.append((label, rows, verdict))
    return found


def latency_samples(measured: Measured) -> Figure:
    """Latency an image of every repeat of every setting, in the order of measuring, with the setting's verdict."""
    parts = []
    for label, rows, verdict in settings(measured):
        latency = rows["total_s"] / rows["count"] * 1e3
        parts.append(
            pd.DataFrame({"setting": label, "repeat": rows["repeat"] + 1, "latency_ms": latency, "verdict": verdict.word}).assign(
                median_ms=latency.median()
            )
        )
    frame = pd.concat(parts, ignore_index=True)
    words = [VALID, UNSTABLE, INVALID]
    base = alt.Chart(frame).encode(y=alt.Y("setting:N", sort=None, title=None, axis=alt.Axis(labelLimit=240)))
    points = base.mark_point(size=55, filled=True, opacity=0.75).encode(
        x=alt.X("latency_ms:Q", title="latency an image, ms (log scale)", scale=alt.Scale(type="log", nice=False, padding=30)),
        color=alt.Color("verdict:N", scale=scale(words, (BLUE, VERMILION, PURPLE)), legend=alt.Legend(orient="top", title="verdict")),
        shape=alt.Shape("verdict:N", scale=alt.Scale(domain=words, range=["circle", "triangle-up", "cross"])),
        tooltip=[
            alt.Tooltip("setting"),
            alt.Tooltip("repeat"),
            alt.Tooltip("latency_ms", format=".3f", title="latency, ms"),
            alt.Tooltip("verdict"),
        ],
    )
    medians = base.mark_tick(color=GREY, thickness=3, size=22).encode(x=alt.X("median_ms:Q"))
    first = frame.drop_duplicates("setting")
    return Figure(
        "latency-samples",
        "Latency an image: every repeat, and whether to believe it",
        (medians + points).properties(height=rows_height(frame["setting"].nunique(), 34)),
        "; ".join(f"{row.setting}: median {row.median_ms:.2f} ms, {row.verdict}" for row in first.itertuples()) + ".",
        frame,
        "A point is one repeat, the grey tick the median. Circles are VALID, triangles UNSTABLE, crosses INVALID.",
    )


def _spread(measured: Measured, mode: str) -> pd.DataFrame:
    samples = measured.samples[measured.samples["mode"] == mode].copy()
    samples["images_per_second"] = samples["count"] / samples["total_s"]
    samples["latency_ms"] = samples["total_s"] / samples["count"] * 1e3
    return samples


def _with_band(
    frame: pd.DataFrame, x: str, x_title: str, y: str, y_title: str, colour: str, *, log_y: bool = False
) -> alt.LayerChart | alt.FacetChart:
    places = alt.Axis(values=sorted(int(place) for place in frame[x].unique()), format="d")
    base = alt.Chart(frame).encode(x=alt.X(f"{x}:Q", title=x_title, axis=places, scale=alt.Scale(type="log", nice=False, padding=20)))
    vertical = alt.Scale(type="log", nice=True) if log_y else alt.Scale(zero=False)
    points = base.mark_point(color=colour, opacity=0.6, size=40).encode(
        y=alt.Y(f"{y}:Q", title=y_title, scale=vertical), tooltip=[alt.Tooltip(x), alt.Tooltip(y, format=".3g")]
    )
    line = base.mark_line(color=colour).encode(y=alt.Y(f"median({y}):Q", title=y_title))
    band = base.mark_errorband(extent="iqr", color=colour, opacity=0.2).encode(y=alt.Y(f"{y}:Q", title=y_title))
    return alt.layer(band, line, points)


def online_total(measured: Measured) -> Figure:
    """Total time of online inference against the number of images."""
    frame = _spread(measured, ONLINE)
    medians = frame.groupby("count")["total_s"].median()
    return Figure(
        "online",
        "One image a call: total time against the number of images",
        _with_band(frame, "count", "images (log scale)", "total_s", "total time, s (log scale)", VERMILION, log_y=True).properties(
            height=HEIGHT
        ),
        "Medians: " + ", ".join(f"{count} images {value:.3g} s" for count, value in medians.items()) + ".",
        frame,
        "Points are repeats, the line joins medians, the band is the middle half.",
    )


def batch_throughput(measured: Measured) -> Figure:
    """Throughput against batch size, with the online throughput as a line to compare with."""
    frame = _spread(measured, BATCH)
    medians = frame.groupby("batch_size")["images_per_second"].median()
    chart = _with_band(frame, "batch_size", "batch size (log scale)", "images_per_second", "throughput, images a second", BLUE)
    online = _spread(measured, ONLINE)
    words = ", ".join(f"batch size {size} {value:.0f} images a second" for size, value in medians.items())
    title = "Throughput against batch size"
    if len(online):
        largest = online[online["count"] == online["count"].max()]["images_per_second"].median()
        rule = alt.Chart(pd.DataFrame({"online": [largest]})).mark_rule(color=VERMILION, strokeDash=[6, 4], size=2)
        chart = chart + rule.encode(
            y=alt.Y("online:Q"), tooltip=[alt.Tooltip("online", format=".0f", title="one image a call, images a second")]
        )
        words += f"; one image a call {largest:.0f}"
        if len(medians):
            title += f": {medians.max() / largest:.1f} times that of one image a call at {medians.idxmax()}"
    return Figure(
        "throughput",
        title,
        chart.properties(height=HEIGHT),
        f"Medians: {words}.",
        frame,
        "Points are repeats, the line joins medians, the band is the middle half. Dashed: one image a call.",
    )
