"""One grade and its measurements, as a page: `streamlit run dashboard/app.py`.

It only reads: the JSON of `lab grade --json` and the files of a submission's results/. Text of a submission is shown as text, never as
Markdown. Nothing is graded or measured here.
"""

from __future__ import annotations

from pathlib import Path

import altair as alt
import pandas as pd
import streamlit as st

from grader.artifacts import Kernels, Machine, Results, Timings, Training
from grader.errors import ResultsError
from grader.report.text import LOOKS, closing_lines, headline, one_line, score, section_score
from grader.results import GradeResult, State

# Okabe and Ito's colours, which people with colour blindness can tell apart.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#999999"
LARGEST_GRADE_BYTES = 16 * 2**20


def main() -> None:
    """Draws the page."""
    st.set_page_config(page_title="Deep-learning lab", layout="wide")
    st.title("Deep-learning lab")
    grade_file = Path(st.sidebar.text_input("Grade, as JSON", "grade.json", key="grade", help="Made with lab grade --json grade.json"))
    submission = Path(st.sidebar.text_input("Folder of the submission", "assignment", key="submission"))
    show_grade(grade_file)
    show_results(submission)


def show_grade(file: Path) -> None:
    """Shows a grade: the score, the points of each section, and every check."""
    st.header("Grade")
    try:
        if file.stat().st_size > LARGEST_GRADE_BYTES:
            raise ResultsError(f"A grade has at most {LARGEST_GRADE_BYTES:,} bytes.")
        result = GradeResult.from_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        st.info(f"There is no grade in `{file.name}` yet. Make one with `lab grade assignment --json grade.json`.")
        return
    except (ResultsError, OSError, UnicodeDecodeError) as error:
        st.error("This grade cannot be read.")
        st.text(one_line(str(error)))
        return
    passed = sum(check.state is State.PASSED for check in result.checks)
    left, middle, right = st.columns(3)
    left.metric("Points", score(result.score, result.points))
    middle.metric("Checks passed", f"{passed} of {len(result.checks)}")
    right.metric("Run", "official" if result.official else "public")
    for line in (one_line(result.submission), *closing_lines(result)):
        st.text(line)
    st.altair_chart(points_chart(result), width="stretch")
    rows = [
        {
            "check": one_line(check.name),
            "state": f"{LOOKS[check.state].symbol} {check.state}",
            "points": score(check.earned, check.points),
            "title": one_line(check.title),
            "what is wrong": "" if check.state is State.PASSED else headline(check),
            "where": one_line(check.feedback.where) if check.feedback else "",
        }
        for check in result.checks
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")


def points_chart(result: GradeResult) -> alt.LayerChart | alt.FacetChart:
    """Points earned in each section, before the points that there were."""
    rows = [
        {
            "section": name,
            "points": sum(check.points for check in result.section(name)),
            "earned": sum(check.earned for check in result.section(name)),
            "score": section_score(result.section(name)),
        }
        for name in result.sections
    ]
    base = alt.Chart(pd.DataFrame(rows, columns=["section", "points", "earned", "score"])).encode(
        y=alt.Y("section:N", sort=None, title=None)
    )
    return alt.layer(
        base.mark_bar(color=GREY, opacity=0.4).encode(x=alt.X("points:Q", title="points")),
        base.mark_bar(color=BLUE).encode(x="earned:Q", tooltip=["section", "score"]),
        base.mark_text(align="left", dx=4).encode(x="points:Q", text="score:N"),
    ).properties(height=alt.Step(28))


def show_results(submission: Path) -> None:
    """Shows what `lab measure` wrote into a submission's folder; each file by itself, since each may be missing."""
    st.header("Measurements")
    results = Results(submission)
    if not results.folder.is_dir():
        st.info("There are no measurements yet. Make them with `lab measure assignment --data data/small`.")
        return
    try:
        show_machine(results.read(Machine))
    except ResultsError as error:
        complain(error)
    left, right = st.columns(2)
    with left:
        try:
            show_timings(results.read(Timings))
        except ResultsError as error:
            complain(error)
    with right:
        try:
            show_kernels(results.read(Kernels))
        except ResultsError as error:
            complain(error)
    try:
        show_training(results.read(Training))
    except ResultsError as error:
        complain(error)


def complain(error: ResultsError) -> None:
    """Says which file could not be read, as plain text."""
    st.warning("A file of the results could not be read:")
    st.text(one_line(str(error)))


def show_machine(machine: Machine) -> None:
    """The line that two measurements must share before they are compared."""
    facts = (machine.cpu, f"{machine.cores} cores", f"TensorFlow {machine.tensorflow}", machine.dataset.name, machine.measured_at)
    st.text(one_line(", ".join(facts)))


def show_timings(timings: Timings) -> None:
    """Throughput against batch size, with every repeat, and the online runs beside it."""
    st.subheader("Throughput")
    runs = [("batches", run) for run in timings.batches] + [("online", run) for run in timings.online]
    rows = [
        {"kind": kind, "batch size": run.batch_size, "images": run.count, "images per second": run.count / total_s, "total s": total_s}
        for kind, run in runs
        for total_s in run.totals_s
    ]
    colour = alt.Color("kind:N", scale=alt.Scale(domain=["batches", "online"], range=[BLUE, ORANGE]))
    base = alt.Chart(pd.DataFrame(rows)).encode(x=alt.X("batch size:Q"), color=colour)
    points = base.mark_point(size=60).encode(
        y=alt.Y("images per second:Q", title="images per second"),
        shape="kind:N",
        tooltip=["kind", "batch size", "images", alt.Tooltip("images per second", format=".1f"), alt.Tooltip("total s", format=".4f")],
    )
    # Batches only: the online runs share one batch size, and a line through them would say nothing.
    line = (
        base.transform_filter("datum.kind == 'batches'")
        .mark_line()
        .encode(y=alt.Y("median(images per second):Q", title="images per second"))
    )
    st.altair_chart(line + points, width="stretch")
    st.caption("Each point is one repeat; the line joins the medians.")


def show_kernels(kernels: Kernels) -> None:
    """Kernel time of each layer, for each of the profiled images."""
    st.subheader("Kernel time of a layer")
    rows = [
        {"layer": one_line(row.layer), "kernel": one_line(row.kernel), "microseconds": row.duration_us, "image": one_line(sample.image)}
        for sample in kernels.samples
        for row in sample.rows
    ]
    chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_bar()
        .encode(
            x=alt.X("sum(microseconds):Q", title="microseconds"),
            y=alt.Y("layer:N", sort=None, title=None),
            yOffset="image:N",
            color=alt.Color("image:N", scale=alt.Scale(range=[BLUE, ORANGE, GREEN])),
            tooltip=["layer", "kernel", "image", alt.Tooltip("microseconds", format=".1f")],
        )
    )
    st.altair_chart(chart, width="stretch")


def show_training(training: Training) -> None:
    """Accuracy against epochs of the main run, and the sweep as a table."""
    st.subheader("Training")
    history = training.main.history
    rows = [
        {"epoch": epoch, "accuracy": value, "images": name}
        for name, values in (("training", history.accuracy), ("validation", history.val_accuracy))
        for epoch, value in enumerate(values, start=1)
    ]
    colour = alt.Color("images:N", scale=alt.Scale(domain=["training", "validation"], range=[ORANGE, BLUE]))
    chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_line(point=True)
        .encode(x=alt.X("epoch:O"), y=alt.Y("accuracy:Q"), color=colour, strokeDash="images:N", tooltip=["images", "epoch", "accuracy"])
    )
    st.altair_chart(chart, width="stretch")
    st.dataframe(pd.DataFrame([run.model_dump() for run in training.sweep]), hide_index=True, width="stretch")


if __name__ == "__main__":
    main()
