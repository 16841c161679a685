"""Timings and curves over the class: median and band, and chosen students."""

import streamlit as st

from dashboard import show
from dashboard.charts import classroom as charts
from dashboard.figure import COLOURS
from dashboard.session import chosen_run, whole_class

MACHINES = "every kind of machine"

klass, run = whole_class(), chosen_run()
samples = klass.sample_totals(run) if run is not None else None
curves = klass.curves(run) if run is not None else None
if samples is None or curves is None or (samples.empty and curves.empty):
    st.info("No submission of this run has measurements.")
    st.stop()
names = sorted({*samples["students"].dropna(), *curves["students"].dropna()})
kinds = sorted({f"{cpu}, {int(cores)} cores" for cpu, cores in samples[["cpu", "cores"]].dropna().itertuples(index=False)})
left, right = st.columns(2)
chosen = left.multiselect("Students", names, key="students", max_selections=len(COLOURS) - 1, placeholder="Choose up to four")
kind = right.selectbox("Machine", [MACHINES, *kinds], key="machine", bind="query-params")
if kind != MACHINES:
    samples = samples[(samples["cpu"] + ", " + samples["cores"].map(lambda cores: f"{cores:.0f}") + " cores") == kind]
    curves = curves[curves["submission_id"].isin(samples["submission_id"])]
left, right = st.columns(2)
with left:
    if len(samples):
        show.figure(charts.class_throughput(samples, chosen))
with right:
    if len(curves):
        show.figure(charts.class_curves(curves, chosen))
