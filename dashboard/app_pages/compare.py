"""Two runs side by side: whose score changed, and which check changed it."""

import streamlit as st

from dashboard import show
from dashboard.charts import classroom as charts
from dashboard.session import chosen_run, from_address, whole_class

klass, run = whole_class(), chosen_run()
runs = klass.runs()
if run is None or len(runs) < 2:
    show.nothing("There are no two runs to compare yet. Grade the class again.", "lab batch submissions --db grades.db")
    st.stop()
source = runs[runs["id"] == run]["source"].iloc[0]
# Runs of the same class first: those are what one compares.
order = runs.assign(other=runs["source"] != source).sort_values(["other", "id"], ascending=[True, False])
others = [int(number) for number in order["id"] if int(number) != run]
names = {int(row.id): f"{row.source}, run {row.id} ({row.state})" for row in runs.itertuples()}
from_address("before", others)
before = st.selectbox("Compare with", others, format_func=names.get, key="before")
st.query_params["before"] = str(before)
frame = klass.compare(before, run)
both = frame.dropna(subset=["before", "after"])
if both.empty:
    st.info("No submission was graded in both runs.")
    st.stop()
show.figure(charts.two_runs(both, f"run {before}", f"run {run}"))
changed = frame[(frame["change"].abs() > 1e-9) | frame["change"].isna()]
st.subheader(f"{len(changed):,} submissions with another score, or in one run only", anchor=False)
show.table(changed, key="changed", alt="Submissions whose score differs between the runs")
checks = klass.changed_checks(before, run)
st.subheader("Checks that changed it", anchor=False)
if checks.empty:
    st.success("No check gave another result.")
else:
    show.table(checks, key="checks", alt="Checks with the number of submissions that did better or worse")
