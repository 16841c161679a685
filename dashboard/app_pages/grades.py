"""Adjust a score with a reason, give the grades back, and export them."""

import streamlit as st

from dashboard import changes, exports, show
from dashboard.session import chosen_run, forget, store, viewer, whole_class
from grader.export.grades import Policy
from grader.report.text import one_line

klass, run = whole_class(), chosen_run()
if run is None:
    show.nothing("No class was graded into this database yet.", "lab batch submissions --db grades.db")
    st.stop()
results = klass.results(run)
if said := st.session_state.pop("said", ""):
    st.success(said)

st.subheader("Adjust a score", anchor=False)
st.caption("Kept with who and when, and shown to the student with the reason. Nothing is overwritten: adjust back what is to be undone.")
names = {int(row.submission_id): f"{row.students or 'nobody on the roster'} ({row.label})" for row in results.itertuples()}
with st.form("adjust", clear_on_submit=True):
    left, middle, right = st.columns([3, 2, 1])
    submission = left.selectbox("Submission", list(names), format_func=names.get, index=None, placeholder="Choose a submission")
    check = middle.selectbox("Check", ["the whole grade", *klass.items(run)["name"]])
    points = right.number_input("Points", value=0.0, step=0.5, help="Negative takes away.")
    reason = st.text_input("Reason", max_chars=changes.LONGEST_REASON)
    sent = st.form_submit_button("Adjust")
if sent:
    if submission is None:
        st.warning("Choose a submission first.")
    else:

        def adjust() -> None:
            """Adds the row and draws the page anew."""
            changes.adjust(store(), viewer(), submission, "" if check == "the whole grade" else check, points, reason)
            st.session_state["said"] = f"{names[submission]}: {points:+g} points."
            forget()
            st.rerun()

        show.attempt(adjust)
made = klass.adjustments(run)
if len(made):
    show.table(made, key="adjustments", alt="Adjustments with who, when and why, newest first")

st.subheader("Give the grades back", anchor=False)
given = klass.releases(run)
undecided = float(results["undecided"].fillna(0).sum())
if len(given):
    show.table(given, key="releases", alt="When this run was given back, and by whom")
else:
    st.text("This run is not given back: students do not see it yet.")
if undecided:
    st.warning(f"{undecided:g} points are undecided, since the grader itself failed; grade again first.")
with st.form("release", clear_on_submit=True):
    note = st.text_input("Note for the record", max_chars=changes.LONGEST_REASON)
    sure = st.checkbox(f"Show run {run} to its {results['students'].replace('', None).nunique():,} students")
    sent = st.form_submit_button("Give back")
if sent and not sure:
    st.warning("Tick the box to give the grades back.")
elif sent:

    def release() -> None:
        """Adds the row and draws the page anew."""
        changes.release(store(), viewer(), run, note)
        st.session_state["said"] = f"Run {run} is given back."
        forget()
        st.rerun()

    show.attempt(release)

st.subheader("Export", anchor=False)
with st.form("export"):
    left, middle, right = st.columns(3)
    form = left.selectbox("For", list(exports.FORMS))
    late_percent = middle.number_input("Percent of the score for each late day", 0.0, 100.0, 0.0, 5.0)
    grace_days = right.number_input("Late days that cost nothing", 0, 60, 0)
    assignment = left.text_input("Canvas's column", "Lab 1", help="As Canvas names it: Title (number).")
    sheet = middle.file_uploader("Canvas's gradebook or Moodle's worksheet", type="csv", max_upload_size=16)
    sent = st.form_submit_button("Prepare the file")
if sent:

    def prepare() -> None:
        """Makes the file, to be downloaded below."""
        policy = Policy(late_percent, int(grace_days))
        content = None if sheet is None else sheet.getvalue()
        made = exports.prepare(store(), viewer(), run, exports.FORMS[form], policy=policy, assignment=assignment, sheet=content)
        st.session_state["export"] = made

    st.session_state.pop("export", None)
    show.attempt(prepare)
if export := st.session_state.get("export"):
    for remark in export.remarks:
        st.text(one_line(remark))
    st.download_button(f"Download {export.name}", export.data, export.name, export.mime, on_click="ignore")
