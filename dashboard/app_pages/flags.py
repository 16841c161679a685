"""What a person should look into: checks that ended badly, timings that cannot be believed, submissions that are the same or alike."""

from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import show
from dashboard.alike import alike
from dashboard.session import chosen_run, download_folder, viewer, whole_class
from dashboard.verdicts import quick_word

klass, run = whole_class(), chosen_run()
if run is None:
    show.nothing("No class was graded into this database yet.", "lab batch submissions --db grades.db")
    st.stop()


def show_alike(download: Path, results: pd.DataFrame) -> None:
    """The pairs that share most of their code."""
    found = alike(download, results, viewer())
    show.problems(found.remarks)
    if found.table.empty:
        st.success(f"No two of {found.compared:,} submissions share half of their own code.")
        return
    st.text(f"{len(found.table):,} pairs of {found.compared:,} submissions share half of the smaller one's own code, or more.")
    show.table(found.table, key="pairs", alt="Pairs of submissions by the share of code that they have in common")
    st.download_button("Pairs side by side (HTML)", found.page, "similar.html", "text/html")


st.subheader("Checks that crashed, timed out, or that the grader could not decide", anchor=False)
ended = klass.look_into(run)
if ended.empty:
    st.success("None.")
else:
    show.table(ended.drop(columns="submission_id"), key="ended", alt="Checks that ended badly, by student")

st.subheader("Timings that are not VALID", anchor=False)
samples = klass.sample_totals(run)
if len(samples):
    samples["verdict"] = quick_word(samples)
    doubtful = samples[samples["verdict"] != "VALID"]
    counts = samples["verdict"].value_counts()
    st.text(", ".join(f"{count:,} {word}" for word, count in counts.items()))
    shown = doubtful[["students", "mode", "count", "batch_size", "samples", "mean_s", "variation", "verdict"]]
    if doubtful.empty:
        st.success("All are VALID.")
    else:
        show.table(
            shown.rename(columns={"mean_s": "mean total, s", "variation": "coefficient of variation", "batch_size": "batch size"}),
            key="timings",
            alt="Timings that are unstable, by student and setting",
        )
    st.caption(
        "From each setting's samples, their shortest and their variation. All rules are under Submissions. UNSTABLE never costs points."
    )
else:
    st.info("No submission of this run has timings.")

st.subheader("Submissions that are the same, byte for byte", anchor=False)
same = klass.same_content(run)
if same.empty:
    st.success("None.")
else:
    show.table(pd.DataFrame(same[["students", "submissions"]]), key="same", alt="Groups of students with the same files")

st.subheader("Code that is much alike", anchor=False)
download = download_folder()
if download is None:
    st.info("Start with `lab dashboard --db URL --submissions FOLDER` to compare the code; `lab similar` does it without a dashboard.")
elif st.toggle("Compare the code", key="alike", bind="query-params"):
    show.attempt(lambda: show_alike(download, klass.results(run)))
st.caption("What the stubs give and what many of the class wrote does not count. A reason to look and to ask, not a verdict.")
