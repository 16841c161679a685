"""Charts of a training: curves with early stopping, the sweep, and what a larger validation set would tell."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from dashboard.figure import BLUE, GREEN, GREY, HEIGHT, PURPLE, VERMILION, Figure, scale
from dashboard.measured import Measured
from dashboard.statistics import wilson
from grader.rubric.stopping_rules import stop

TRAIN, VAL = "training", "validation"


def _curves(measured: Measured, train: str, val: str, name: str, title: str, unit: str, words: str) -> Figure:
    epochs = measured.epochs
    frame = pd.concat(
        [
            pd.DataFrame({"epoch": epochs["epoch"], "images": TRAIN, "value": epochs[train]}),
            pd.DataFrame({"epoch": epochs["epoch"], "images": VAL, "value": epochs[val]}),
        ],
        ignore_index=True,
    )
    ran = len(epochs)
    stopped, best = stop(epochs["val_loss"].tolist(), measured.min_delta, measured.patience)
    acted = ran < measured.epoch_limit or (stopped == ran and stopped - best >= measured.patience)
    marks = [{"epoch": best, "mark": f"best epoch {best}"}]
    if acted:
        marks.append({"epoch": ran, "mark": f"stopped after epoch {ran}"})
    base = alt.Chart(frame).encode(
        x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(nice=False, zero=False))
    )
    line = base.mark_line(point=True).encode(
        y=alt.Y("value:Q", title=unit, scale=alt.Scale(zero=False)),
        color=alt.Color("images:N", title=None, scale=scale([TRAIN, VAL], (VERMILION, BLUE)), legend=alt.Legend(orient="top")),
        strokeDash=alt.StrokeDash("images:N", scale=alt.Scale(domain=[TRAIN, VAL], range=[[4, 3], [1, 0]]), legend=None),
        tooltip=[alt.Tooltip("images"), alt.Tooltip("epoch"), alt.Tooltip("value", format=".4f")],
    )
    names = [str(mark["mark"]) for mark in marks]
    rule = (
        alt.Chart(pd.DataFrame(marks))
        .mark_rule(size=2)
        .encode(
            x=alt.X("epoch:Q"),
            color=alt.Color("mark:N", title=None, scale=scale(names, (GREEN, PURPLE)), legend=alt.Legend(orient="bottom", labelLimit=0)),
            strokeDash=alt.value([2, 2]),
            tooltip=[alt.Tooltip("mark")],
        )
    )
    chart = alt.layer(rule, line).resolve_scale(color="independent").properties(height=HEIGHT)
    last = epochs.iloc[-1]
    alternative = (
        f"{ran} epochs; {words} on training images ends at {last[train]:.3f}, on validation images at {last[val]:.3f}; best epoch {best}"
        + (f", early stopping acted after epoch {ran}." if acted else ", early stopping did not act.")
    )
    return Figure(name, title, chart, alternative, epochs, "Upright lines: the best epoch, and where early stopping acted.")


def accuracy_curves(measured: Measured) -> Figure:
    """Training and validation accuracy against epochs."""
    best = measured.epochs["val_accuracy"].max()
    return _curves(
        measured, "accuracy", "val_accuracy", "accuracy", f"Accuracy: validation reaches {best:.1%}", "accuracy, fraction", "accuracy"
    )


def loss_curves(measured: Measured) -> Figure:
    """Training and validation loss against epochs."""
    return _curves(measured, "loss", "val_loss", "loss", "Loss: what early stopping watches", "cross-entropy loss, nats", "loss")


def sweep(measured: Measured) -> Figure:
    """Validation accuracy of each setting, and the epochs it really ran."""
    frame = measured.sweep.copy()
    frame["batch size"] = frame["batch_size"].astype(str)
    frame["limit"] = frame["epoch_limit"].map("at most {} epochs".format)
    order = [f"at most {limit} epochs" for limit in sorted(frame["epoch_limit"].unique())]
    chart = (
        alt.Chart(frame)
        .mark_point(filled=True, size=110)
        .encode(
            x=alt.X("epochs_run:Q", title="epochs really run", axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(zero=False)),
            y=alt.Y("val_accuracy:Q", title="validation accuracy, fraction", scale=alt.Scale(zero=False)),
            color=alt.Color("batch size:N", scale=scale(sorted(frame["batch size"].unique(), key=int)), legend=alt.Legend(orient="top")),
            shape=alt.Shape("limit:N", sort=order, title=None, legend=alt.Legend(orient="bottom", labelLimit=0, columns=2)),
            tooltip=[
                alt.Tooltip("batch size"),
                alt.Tooltip("limit"),
                alt.Tooltip("epochs_run"),
                alt.Tooltip("val_accuracy", format=".3f"),
                alt.Tooltip("seconds", format=".1f"),
            ],
        )
        .properties(height=HEIGHT)
    )
    best = frame.loc[frame["val_accuracy"].idxmax()]
    return Figure(
        "sweep",
        f"Settings compared: batch size {best['batch_size']:.0f} does best with {best['val_accuracy']:.1%}",
        chart,
        "; ".join(
            f"batch size {row.batch_size}, limit {row.epoch_limit}: {row.epochs_run} epochs, accuracy {row.val_accuracy:.3f}"
            for row in frame.itertuples()
        )
        + ".",
        measured.sweep,
        "Settings with different limits that lie at the same place ran the same epochs: early stopping had acted.",
    )


def interval_by_size(measured: Measured) -> Figure:
    """Wilson's 95 % interval of the measured accuracy against the size of the validation set."""
    fraction = measured.val_correct / measured.val_total
    sizes = np.unique(np.round(np.geomspace(50, 10_000, 40)).astype(int))
    rows = []
    for size in (*sizes, measured.val_total):
        low, high = wilson(fraction * size, size)
        rows.append({"images": int(size), "low": low, "high": high, "width": high - low})
    frame = pd.DataFrame(rows).sort_values("images")
    low, high = wilson(measured.val_correct, measured.val_total)
    base = alt.Chart(frame).encode(x=alt.X("images:Q", title="validation images (log scale)", scale=alt.Scale(type="log", nice=False)))
    band = base.mark_area(color=BLUE, opacity=0.25).encode(
        y=alt.Y("low:Q", title="accuracy, fraction", scale=alt.Scale(zero=False)),
        y2=alt.Y2("high:Q"),
        tooltip=[alt.Tooltip("images"), alt.Tooltip("low", format=".3f"), alt.Tooltip("high", format=".3f")],
    )
    own = pd.DataFrame([{"images": measured.val_total, "low": low, "high": high, "accuracy": fraction}])
    mark = alt.Chart(own).mark_rule(color=VERMILION, size=3).encode(x=alt.X("images:Q"), y=alt.Y("low:Q"), y2=alt.Y2("high:Q"))
    point = alt.Chart(own).mark_point(color=VERMILION, filled=True, size=80)
    point = point.encode(x=alt.X("images:Q"), y=alt.Y("accuracy:Q"), tooltip=[alt.Tooltip("images"), alt.Tooltip("accuracy", format=".3f")])
    line = alt.Chart(pd.DataFrame({"accuracy": [fraction]})).mark_rule(color=GREY, strokeDash=[4, 4]).encode(y=alt.Y("accuracy:Q"))
    return Figure(
        "interval",
        f"How sure the accuracy is: {low:.1%} to {high:.1%} with {measured.val_total:,} validation images",
        (band + line + mark + point).properties(height=HEIGHT),
        f"{measured.val_correct} of {measured.val_total} right is {fraction:.1%}, with a 95 % interval from {low:.1%} to {high:.1%}; "
        f"with 10,000 images it would be {frame.iloc[-1]['width']:.1%} wide.",
        frame,
        "The band is Wilson's 95 % interval for the same accuracy on other numbers of images; vermilion: your own.",
    )
