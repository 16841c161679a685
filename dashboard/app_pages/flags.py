"""What a person should look into: checks that ended badly, timings that cannot be believed, submissions that are the same."""

import pandas as pd
import streamlit as st

from dashboard import show
from dashboard.session import chosen_run, whole_class
from dashboard.verdicts import quick_word

klass, run = whole_class(), chosen_run()
if run is None:
    show.nothing("No class was graded into this database yet.", "lab batch submissions --db grades.db")
    st.stop()

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
st.caption("`lab similar` compares the code itself, with pairs side by side.")
