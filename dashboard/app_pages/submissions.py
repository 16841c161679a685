"""Every submission in a table to search; a chosen one with everything its student sees, and the code."""

import streamlit as st

from dashboard import show, views
from dashboard.session import chosen_run, classroom, whole_class, with_files
from grader.errors import LabError

klass, run = whole_class(), chosen_run()
if run is None:
    show.nothing("No class was graded into this database yet.", "lab batch submissions --db grades.db")
    st.stop()
results = klass.results(run)
columns = st.columns(3)
wanted = columns[0].text_input("Name, login or label", key="find", bind="query-params")
state = columns[1].selectbox(
    "State", ["all", "graded", "not graded", "late", "cannot be taken", "adjusted"], key="state", bind="query-params"
)
places = ["every section", *sorted(set(results["section"]) - {""})]
place = columns[2].selectbox("Course section", places, key="section", bind="query-params")
if wanted:
    text = results["students"] + " " + results["login"] + " " + results["label"]
    results = results[text.str.contains(wanted, case=False, regex=False)]
match state:
    case "graded":
        results = results[results["graded"]]
    case "not graded":
        results = results[~results["graded"]]
    case "late":
        results = results[results["late_days"] > 0]
    case "cannot be taken":
        results = results[results["problem"] != ""]
    case "adjusted":
        results = results[results["adjusted"] != 0]
if place != places[0]:
    results = results[results["section"] == place]
st.caption(f"{len(results):,} submissions; choose a row to see all of one.")
shown = results[
    ["submission_id", "students", "login", "section", "score", "points", "adjusted", "late_days", "attempt", "problem", "label"]
]
picked = show.table(
    shown.rename(columns={"submission_id": "number", "late_days": "late, days"}),
    key="submissions",
    alt="Submissions with score, lateness and label",
    on_select="rerun",
    selection_mode="single-row",
)
chosen = st.query_params.get("submission", "")
rows = picked["selection"]["rows"]
if rows and rows[0] < len(results):
    chosen = str(int(results["submission_id"].iloc[rows[0]]))
    st.query_params["submission"] = chosen
if not chosen.isdecimal():
    st.stop()
subject = classroom().subject(run, int(chosen))
try:
    subject = with_files(subject)
except LabError as error:
    show.problems((str(error),))
st.header(show.escaped(subject.name), anchor=False)
show.problems(subject.problems)
parts = {
    "Score": views.score_page,
    "Profile": views.profile_page,
    "Latency and throughput": views.timing_page,
    "Training": views.training_page,
    "What the network sees": views.pictures_page,
    "Attempts": views.attempts_page,
    "Code": views.code_page,
}
# Not tabs: those would draw all of it at once.
part = st.segmented_control("Part", list(parts), default="Score", key="part", bind="query-params") or "Score"
show.attempt(lambda: parts[part](subject, key="one-"))
