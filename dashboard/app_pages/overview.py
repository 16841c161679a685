"""The class at a glance: how many are graded, failed, late, missing, flagged, and the distribution of scores."""

import streamlit as st

from dashboard import show
from dashboard.charts import classroom as charts
from dashboard.session import chosen_run, whole_class
from grader.report.text import one_line

klass, run = whole_class(), chosen_run()
if run is None:
    show.nothing("No class was graded into this database yet.", "lab batch submissions --db grades.db")
    st.stop()
runs = klass.runs()
this = runs[runs["id"] == run].iloc[0]
if this["state"] != "finished":
    st.info(f"This run is {this['state']}: what follows is what there is so far. The page Progress shows how far it is.")
results, missing = klass.results(run), klass.missing(run)
flagged = klass.look_into(run)
graded = results[results["graded"]]
first, second = st.columns(4), st.columns(4)
first[0].metric("Submissions that count", f"{len(results):,}")
first[1].metric("Graded", f"{len(graded):,}")
first[2].metric(
    "Cannot be taken",
    f"{int((results['problem'] != '').sum()):,}",
    help="Not a zip, too large, or hostile: the reason is under Submissions.",
)
first[3].metric("Late", f"{int((results['late_days'] > 0).sum()):,}")
second[0].metric("Missing", f"{len(missing):,}", help="On the roster, and nothing was handed in.")
second[1].metric("Flagged", f"{flagged['submission_id'].nunique():,}", help="A check crashed, timed out, or the grader itself failed.")
second[2].metric("Median", f"{graded['score'].median():.4g}" if len(graded) else "none yet")
second[3].metric(
    "Undecided points", f"{results['undecided'].fillna(0).sum():g}", help="The grader itself failed there: grade again before release."
)
if len(graded):
    show.figure(charts.distribution(graded["score"], float(graded["points"].max())))
else:
    st.info("Nothing is graded yet; the page Progress shows how far the run is.")
remarks = show.json_list(this["remarks"])
if remarks:
    with st.expander(f"What intake found ({len(remarks)})"):
        for remark in remarks:
            st.text(one_line(remark))
if len(missing):
    with st.expander(f"Missing students ({len(missing)})"):
        show.table(missing, key="missing", alt="Students on the roster who handed nothing in")
