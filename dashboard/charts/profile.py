"""Charts of a profile: kernel time by layer, each layer's arithmetic, and the roofline of both."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.figure import BLUE, GREY, PURPLE, VERMILION, Figure, rows_height, scale
from dashboard.measured import Measured, layer_costs


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
    what = "peak that the calibration measured" if measured.peak_macs_per_s else "highest rate seen in this profile (no calibration)"
    base = alt.Chart(frame).encode(
        x=alt.X("macs_per_byte:Q", title="arithmetic intensity, multiply-accumulates a byte", scale=alt.Scale(type="log", padding=30)),
        y=alt.Y("gmacs_per_s:Q", title="rate, billion multiply-accumulates a second", scale=alt.Scale(type="log", nice=True)),
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
    chart = (
        roof
        + base.mark_point(filled=True, size=90, color=BLUE)
        + base.mark_text(dy=-11, color=GREY, fontSize=12).encode(text=alt.Text("layer:N"))
    )
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
