"""Charts of a profile: kernel time by layer, each layer's arithmetic, and the roofline of both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from dashboard.figure import BLUE, GREY, PURPLE, VERMILION, Figure, rows_height, scale
from dashboard.measured import Measured, layer_costs

PLACES: Final[dict[str, dict[str, Any]]] = {
    "above": {"dy": -12},
    "below": {"dy": 13},
    "right": {"dx": 9, "align": "left"},
    "left": {"dx": -9, "align": "right"},
    "above right": {"dx": 7, "dy": -9, "align": "left"},
    "below right": {"dx": 7, "dy": 10, "align": "left"},
    "above left": {"dx": -7, "dy": -9, "align": "right"},
    "below left": {"dx": -7, "dy": 10, "align": "right"},
}
"""Where the name of a point may stand, in pixels from it; the first that is free is taken."""

_Box = tuple[float, float, float, float]
"""Left, top, width and height in pixels."""

_WIDTH: Final = 230
_HEIGHT: Final = 160
"""Size in pixels of the part of the narrowest roofline that holds points."""

_LETTER: Final = 7
_LINE: Final = 11
_POINT: Final = 10
"""Pixels that a letter is wide, a line of text high, and a point both, at the sizes below."""


def by_layer(measured: Measured) -> pd.DataFrame:
    """Kernel time of each layer.

    Args:
        measured: With at least one kernel.

    Returns:
        `layer`, `duration_us` (sum of its kernels, mean over the profiled images), `share`, `least_us`, `most_us`, longest first.
    """
    per_image = measured.kernels.groupby(["layer", "sample"], as_index=False)["duration_us"].sum()
    frame = per_image.groupby("layer")["duration_us"].agg(duration_us="mean", least_us="min", most_us="max").reset_index()
    total = frame["duration_us"].sum()
    frame["share"] = frame["duration_us"] / total if total else 0.0
    return frame.sort_values("duration_us", ascending=False, ignore_index=True)


def kernel_time(measured: Measured) -> Figure:
    """Kernel time of each layer with its share, longest first, and the spread over the profiled images."""
    frame = by_layer(measured)
    frame["label"] = [f"{layer}  {share:.0%}" for layer, share in zip(frame["layer"], frame["share"], strict=True)]
    top = frame.iloc[0]
    base = alt.Chart(frame).encode(y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=220)))
    tooltip = [alt.Tooltip("layer"), alt.Tooltip("duration_us", format=".1f", title="mean, µs"), alt.Tooltip("share", format=".1%")]
    bars = base.mark_bar().encode(
        x=alt.X("duration_us:Q", title="kernel time, µs (mean of the profiled images)"),
        color=alt.condition(alt.datum.layer == top["layer"], alt.value(VERMILION), alt.value(BLUE)),
        tooltip=tooltip,
    )
    spread = base.mark_rule(color=GREY, size=2).encode(x=alt.X("least_us:Q"), x2=alt.X2("most_us:Q"), tooltip=tooltip)
    return Figure(
        "kernels",
        f"Kernel time by layer: {top['layer']} takes {top['share']:.0%}",
        (bars + spread).properties(height=rows_height(len(frame), 26)),
        "Bars of kernel time, longest first: "
        + ", ".join(f"{row.layer} {row.duration_us:.0f} microseconds ({row.share:.0%})" for row in frame.head(4).itertuples())
        + ".",
        frame.drop(columns="label"),
        "Vermilion: the critical kernel's layer. The grey line spans the profiled images.",
    )


def arithmetic(measured: Measured) -> Figure:
    """Each layer's share of the time beside its share of the multiply-accumulates."""
    costs = layer_costs()
    costs["share_macs"] = costs["macs"] / costs["macs"].sum()
    frame = by_layer(measured).merge(costs, on="layer", how="inner")
    times, macs = "share of kernel time", "share of multiply-accumulates"
    rows = pd.concat(
        [
            frame[["layer"]].assign(what=times, share=frame["share"], amount=frame["duration_us"].map("{:.0f} µs".format)),
            frame[["layer"]].assign(what=macs, share=frame["share_macs"], amount=(frame["macs"] / 1e6).map("{:.1f} million".format)),
        ],
        ignore_index=True,
    )
    chart = (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            x=alt.X("layer:N", sort=list(costs["layer"]), title="layer, in the network's order", axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("what:N", sort=[times, macs]),
            y=alt.Y("share:Q", title="share, %", axis=alt.Axis(format="%")),
            color=alt.Color(
                "what:N", title=None, scale=scale([times, macs], (VERMILION, BLUE)), legend=alt.Legend(orient="top", labelLimit=0)
            ),
            tooltip=[alt.Tooltip("layer"), alt.Tooltip("what"), alt.Tooltip("share", format=".1%"), alt.Tooltip("amount")],
        )
        .properties(height=280)
    )
    most = costs.loc[costs["macs"].idxmax()]
    return Figure(
        "arithmetic",
        f"Time beside arithmetic: {most['layer']} does {most['share_macs']:.0%} of the multiply-accumulates",
        chart,
        "Pairs of bars for each layer: "
        + ", ".join(f"{row.layer} {row.share:.0%} of the time and {row.share_macs:.0%} of the arithmetic" for row in frame.itertuples())
        + ".",
        frame[["layer", "duration_us", "share", "macs", "share_macs"]],
        "Where the first bar is higher, a layer is slower than its arithmetic alone would make it.",
    )


def roofline(measured: Measured) -> Figure:
    """Rate of each layer against its arithmetic intensity, below the machine's peak (after Williams, Waterman and Patterson, 2009)."""
    frame = by_layer(measured).merge(layer_costs(), on="layer", how="inner")
    frame = frame[frame["duration_us"] > 0].copy()
    frame["gmacs_per_s"] = frame["macs"] / frame["duration_us"] / 1e3
    frame["macs_per_byte"] = frame["macs"] / frame["bytes"]
    seen = float(frame["gmacs_per_s"].max()) if len(frame) else 0.0
    peak = measured.peak_macs_per_s / 1e9 if measured.peak_macs_per_s else seen
    where = np.log(frame["macs_per_byte"]), np.log(frame["gmacs_per_s"])
    frame["place"] = label_places(*where, frame["layer"], math.log(peak) if peak else None)
    domain = [float(frame["gmacs_per_s"].min()) / 2, 2 * max(peak, seen)] if len(frame) else [0.1, 10]
    what = "peak that the calibration measured" if measured.peak_macs_per_s else "highest rate seen in this profile (no calibration)"
    base = alt.Chart(frame).encode(
        x=alt.X("macs_per_byte:Q", title="arithmetic intensity, multiply-accumulates a byte", scale=alt.Scale(type="log", padding=30)),
        y=alt.Y(
            "gmacs_per_s:Q", title="rate, billion multiply-accumulates a second", scale=alt.Scale(type="log", nice=False, domain=domain)
        ),
        tooltip=[
            alt.Tooltip("layer"),
            alt.Tooltip("gmacs_per_s", format=".2f", title="billion a second"),
            alt.Tooltip("macs_per_byte", format=".1f", title="a byte"),
        ],
    )
    roof = (
        alt.Chart(pd.DataFrame({"peak": [peak], "what": [what]}))
        .mark_rule(color=PURPLE, strokeDash=[6, 4], size=2)
        .encode(y=alt.Y("peak:Q"), tooltip=[alt.Tooltip("what"), alt.Tooltip("peak", format=".1f")])
    )
    names = [
        # A layer without a point would be warned of in the browser.
        base.transform_filter(alt.datum.place == place).mark_text(color=GREY, fontSize=12, **offset).encode(text=alt.Text("layer:N"))
        for place, offset in PLACES.items()
        if place in set(frame["place"])
    ]
    chart = alt.layer(roof, base.mark_point(filled=True, size=90, color=BLUE), *names)
    fastest = frame.loc[frame["gmacs_per_s"].idxmax()] if len(frame) else None
    return Figure(
        "roofline",
        "Roofline: how close each layer comes to the peak",
        chart.properties(height=320),
        (
            f"{fastest['layer']} is fastest with {fastest['gmacs_per_s']:.1f} billion multiply-accumulates a second; "
            if fastest is not None
            else ""
        )
        + f"the dashed line is the {what}, {peak:.1f} billion.",
        frame[["layer", "macs", "bytes", "duration_us", "gmacs_per_s", "macs_per_byte"]],
        f"Dashed: {what}, {peak:.1f} billion multiply-accumulates a second. Bytes: input, weights and output of a layer, once each.",
    )


def label_places(x: Sequence[float], y: Sequence[float], labels: Sequence[str], line: float | None = None) -> list[str]:
    """Where each point's name stands so that no two names cover each other, nor a name a point or the line.

    Args:
        x: Positions along the chart, as they are drawn: logarithms on a log axis.
        y: The same, upwards.
        labels: The names.
        line: Where a line crosses the whole chart, as `y`.

    Returns:
        A key of `PLACES` for each point; `above` where every place is taken.
    """
    points = [(_pixels(across, x, _WIDTH), -_pixels(up, y, _HEIGHT)) for across, up in zip(x, y, strict=True)]
    taken: list[_Box] = [(across - _POINT / 2, down - _POINT / 2, _POINT, _POINT) for across, down in points]
    if line is not None:
        taken.append((-_WIDTH, -_pixels(line, y, _HEIGHT) - 1, 3 * _WIDTH, 2))
    chosen = []
    for (across, down), label in zip(points, labels, strict=True):
        boxes = {place: _box(across, down, _LETTER * len(label), offset) for place, offset in PLACES.items()}
        place = next((place for place, box in boxes.items() if not any(_overlap(box, other) for other in taken)), "above")
        taken.append(boxes[place])
        chosen.append(place)
    return chosen


def _pixels(value: float, values: Sequence[float], size: int) -> float:
    spread = max(values) - min(values)
    return size * (value - min(values)) / spread if spread else size / 2


def _box(across: float, down: float, width: float, offset: dict[str, Any]) -> _Box:
    left = across + offset.get("dx", 0) - width * {"left": 0.0, "right": 1.0}.get(offset.get("align", ""), 0.5)
    return left, down + offset.get("dy", 0) - _LINE / 2, width, _LINE


def _overlap(one: _Box, other: _Box) -> bool:
    (left, top, width, height), (left_2, top_2, width_2, height_2) = one, other
    return left < left_2 + width_2 and left_2 < left + width and top < top_2 + height_2 and top_2 < top + height


def images(measured: Measured) -> Figure:
    """Kernel time of the profiled images beside their end-to-end latency, and their sum."""
    kernels = measured.kernels.groupby("sample")["duration_us"].sum()
    names = measured.kernels.groupby("sample")["image"].first()
    rows = []
    for sample, value in kernels.items():
        name = str(names[sample]) or f"image {int(sample) + 1}"
        rows.append({"image": name, "what": "sum of its kernels", "milliseconds": value / 1e3})
        if int(sample) < len(measured.end_to_end_us):
            rows.append({"image": name, "what": "end to end", "milliseconds": measured.end_to_end_us[int(sample)] / 1e3})
    frame = pd.DataFrame(rows, columns=["image", "what", "milliseconds"])
    total = frame[frame["what"] == "end to end"]["milliseconds"].sum()
    names_in_order = ["end to end", "sum of its kernels"]
    chart = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            y=alt.Y("image:N", sort=None, title=None, axis=alt.Axis(labelOverlap=False)),
            yOffset=alt.YOffset("what:N", sort=names_in_order),
            x=alt.X("milliseconds:Q", title="latency, ms"),
            color=alt.Color("what:N", title=None, scale=scale(names_in_order), legend=alt.Legend(orient="top")),
            tooltip=[alt.Tooltip("image"), alt.Tooltip("what"), alt.Tooltip("milliseconds", format=".3f")],
        )
        .properties(height=rows_height(frame["image"].nunique(), 60))
    )
    words = ", ".join(f"{row.image} {row.what} {row.milliseconds:.2f} ms" for row in frame.itertuples())
    title = f"Latency of the sample images: {total:.2f} ms together" if total else "Kernel time of the sample images"
    return Figure("images", title, chart, f"Bars: {words}.", frame)
