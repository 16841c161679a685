"""The pages about one submission. A student's pages, an instructor's drill-down and nothing else draw them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import show
from dashboard.charts import grade as grade_charts
from dashboard.charts import pictures as picture_charts
from dashboard.charts import profile as profile_charts
from dashboard.charts import timing as timing_charts
from dashboard.charts import training as training_charts
from dashboard.pictures import CONFUSED_IMAGES, FACTORS, PICTURE_WIDTH, VALUES, Seen, enlarged, strip
from dashboard.session import data_folder
from dashboard.subject import Subject
from grader.errors import DataError
from grader.report.text import closing_lines, one_line, score
from grader.results import State

TO_MEND, EVERYTHING = "to mend", "all checks"


def score_page(subject: Subject, *, key: str = "") -> None:
    """Score by section, and every check with its feedback."""
    result = subject.grade
    if result is None:
        show.nothing("There is no grade yet.", "lab grade assignment")
        return
    passed = sum(check.state is State.PASSED for check in result.checks)
    adjusted = float(subject.adjustments["points"].sum()) if len(subject.adjustments) else 0.0
    left, middle, right = st.columns(3)
    left.metric("Points", score(result.score + adjusted, result.points))
    middle.metric("Checks passed", f"{passed} of {len(result.checks)}")
    right.metric("Run", "official" if result.official else "public")
    for line in (*closing_lines(result), *(f"Note: {note}" for note in result.notes)):
        st.text(one_line(line))
    for change in subject.adjustments.itertuples():
        st.text(one_line(f"Adjusted by {change.points:+g} points ({change.check_name or 'the whole grade'}): {change.reason}"))
    if not result.checks:
        return
    show.figure(grade_charts.points_by_section(result), key=key)
    sections = ["every section", *result.sections]
    one, two = st.columns(2)
    which = one.segmented_control(
        "Checks", [TO_MEND, EVERYTHING], default=TO_MEND, key=f"{key}checks", bind=None if key else "query-params"
    )
    section = two.selectbox("Section", sections, key=f"{key}section", bind=None if key else "query-params")
    shown = [
        check
        for check in result.checks
        if (which == EVERYTHING or check.state is not State.PASSED) and section in (check.section, sections[0])
    ]
    if not shown:
        st.success("Nothing to mend here.")
    last = ""
    for number, check in enumerate(shown):
        if check.section != last:
            last = check.section
            st.subheader(show.escaped(last), anchor=False)
        show.feedback(check, key=f"{key}{number}")


def profile_page(subject: Subject, *, key: str = "") -> None:
    """Kernels by layer, arithmetic, roofline, and the sample images' latency."""
    measured = subject.measured
    if measured.kernels.empty:
        show.nothing("No profile was measured yet.", "lab measure assignment --data data/small")
        return
    left, right = st.columns(2)
    with left:
        show.figure(profile_charts.kernel_time(measured), key=key)
        show.figure(profile_charts.images(measured), key=key)
    with right:
        show.figure(profile_charts.arithmetic(measured), key=key)
        show.figure(profile_charts.roofline(measured), key=key)
    machine_line(subject)


def timing_page(subject: Subject, *, key: str = "") -> None:
    """Latency samples with their verdict, online and batch."""
    measured = subject.measured
    if measured.samples.empty:
        show.nothing("No timing was measured yet.", "lab measure assignment --data data/small")
        return
    show.figure(timing_charts.latency_samples(measured), key=key)
    rows = []
    for label, samples, verdict in timing_charts.settings(measured):
        broken = "; ".join(f"{rule.name}: {rule.found}" for rule in verdict.rules if not rule.kept)
        median = samples["total_s"].median()
        rows.append(
            {
                "setting": label,
                "verdict": verdict.word,
                "median total, s": round(median, 4),
                "latency an image, ms": round(median / samples["count"].iloc[0] * 1e3, 3),
                "samples": len(samples),
                "rules broken": broken or "none",
                "what to do": verdict.advice,
            }
        )
    show.table(pd.DataFrame(rows), key=f"{key}verdicts", alt="Each setting with its verdict and the rules it breaks")
    st.caption("A verdict is information: UNSTABLE never costs points.")
    left, right = st.columns(2)
    with left:
        if len(measured.samples[measured.samples["mode"] == timing_charts.ONLINE]):
            show.figure(timing_charts.online_total(measured), key=key)
    with right:
        if len(measured.samples[measured.samples["mode"] == timing_charts.BATCH]):
            show.figure(timing_charts.batch_throughput(measured), key=key)
    machine_line(subject)


def training_page(subject: Subject, *, key: str = "") -> None:
    """Curves with early stopping, the sweep, and how sure the accuracy is."""
    measured = subject.measured
    if measured.epochs.empty:
        show.nothing("No training was measured yet.", "lab measure assignment --data data/small")
        return
    left, right = st.columns(2)
    with left:
        show.figure(training_charts.accuracy_curves(measured), key=key)
        if measured.val_total:
            show.figure(training_charts.interval_by_size(measured), key=key)
    with right:
        show.figure(training_charts.loss_curves(measured), key=key)
        if len(measured.sweep):
            show.figure(training_charts.sweep(measured), key=key)
    machine_line(subject)


def pictures_page(subject: Subject, *, key: str = "") -> None:
    """Sample images with predictions, feature maps by depth, confusion by factor."""
    if not subject.has_weights:
        if subject.folder is None:
            st.info("Pictures need the submission's files, which are not at hand here.")
        else:
            show.nothing("There are no trained weights yet.", "lab measure assignment --data data/small")
        return
    show.attempt(lambda: _pictures(subject, key))


def _pictures(subject: Subject, key: str) -> None:
    folder = subject.folder
    if folder is None:
        raise DataError("The submission's files are not known.")
    stamp = (folder / "results" / "weights.safetensors").stat().st_mtime_ns
    seen = _seen(str(folder), str(data_folder()), stamp)
    st.subheader("Three sample images and what the network takes them for", anchor=False)
    for column, prediction in zip(st.columns(3), seen.predictions(), strict=False):
        with column:
            words = f"{prediction.image}: {prediction.truth}, taken for {prediction.guesses[0][0]}"
            st.image(enlarged(prediction.pixels), width=PICTURE_WIDTH, alt=words)
            st.text(f"{one_line(prediction.image)}: {prediction.truth}")
            for name, probability in prediction.guesses:
                st.text(f"{'✓' if name == prediction.truth else ' '} {probability:6.1%}  {name}")
    st.subheader("Feature maps by depth: smaller in height and width, more in number", anchor=False)
    images = seen.sample_images()
    chosen = st.selectbox("Image", images, key=f"{key}image", bind=None if key else "query-params")
    for layer, maps in seen.feature_maps(chosen or images[0]).items():
        st.text(f"{layer}: the first {len(maps)} channels, {maps.shape[1]} x {maps.shape[2]} each")
        st.image(strip(maps), width="stretch", alt=f"The first {len(maps)} feature maps of {layer}, {maps.shape[1]} by {maps.shape[2]}")
    st.subheader("What the network confuses", anchor=False)
    st.caption(f"Counted on the first {CONFUSED_IMAGES} validation images.")
    with st.spinner("Looking at the validation images"):
        frame = _confusions(str(folder), str(data_folder()), stamp)
    if frame.empty:
        st.info("The classes of this data set are not made of shape, texture and colour.")
        return
    for factor in FACTORS:
        show.figure(picture_charts.confusion(frame, factor, VALUES[factor]), key=key)


@st.cache_resource(max_entries=8, show_spinner=False)
def _seen(folder: str, data: str, stamp: int) -> Seen:
    return Seen(Path(folder), Path(data))


@st.cache_data(max_entries=64, show_spinner=False)
def _confusions(folder: str, data: str, stamp: int) -> pd.DataFrame:
    return _seen(folder, data, stamp).confusions()


def attempts_page(subject: Subject, *, key: str = "") -> None:
    """The history of a student's own attempts."""
    if subject.attempts.empty:
        show.nothing("No whole grading was kept yet.", "lab grade assignment")
        return
    show.figure(grade_charts.attempts(subject.attempts), key=key)
    frame = subject.attempts.drop(columns="submission_id").sort_values("attempt", ascending=False)
    show.table(frame, key=f"{key}attempts", alt="Every attempt with its time and score, newest first")


def code_page(subject: Subject, *, key: str = "") -> None:
    """The submission's code and findings, as text."""
    sources = subject.sources()
    if not sources:
        st.info(
            "The code is shown where the download that was graded is at hand: start with `lab dashboard --db FILE --submissions FOLDER`."
        )
        return
    name = st.segmented_control("File", list(sources), default=next(iter(sources)), key=f"{key}file") or next(iter(sources))
    st.code(sources[name], language="toml" if name.endswith(".toml") else "python", line_numbers=True)


def machine_line(subject: Subject) -> None:
    """The facts that two measurements must share before they are compared."""
    if subject.measured.machine:
        st.caption("Measured on")
        st.text(one_line(", ".join(f"{name} {value}" for name, value in subject.measured.machine.items())))
