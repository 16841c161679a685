"""`lab report`: what is on the pages of a student and of a class, as one HTML file each."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from dashboard.access import UNREADABLE, Ask, Viewer
from dashboard.charts import classroom as classroom_charts
from dashboard.charts import grade as grade_charts
from dashboard.charts import pictures as picture_charts
from dashboard.charts import profile as profile_charts
from dashboard.charts import timing as timing_charts
from dashboard.charts import training as training_charts
from dashboard.figure import Figure
from dashboard.launch import require_database
from dashboard.measured import BATCH, ONLINE, Measured
from dashboard.page import Part, Picture, Table, render
from dashboard.pictures import FACTORS, VALUES, Seen, enlarged, strip
from dashboard.subject import Subject
from dashboard.verdicts import quick_word
from dashboard.whole_class import WholeClass
from grader.errors import DataError, ResultsError
from grader.store.database import store_url


def student_page(subject: Subject, data: Path) -> str:
    """Everything a student's pages show.

    Args:
        subject: The submission.
        data: The data set that pictures are taken from; without it the page has none.

    Raises:
        ResultsError: There is nothing to show.
    """
    measured = subject.measured
    if subject.grade is None and measured.empty:
        raise ResultsError(f"There is nothing to report on {subject.name} yet; run `lab grade` or `lab measure` first.")
    parts = [
        Part("Score", [grade_charts.points_by_section(subject.grade)] if subject.grade and subject.grade.checks else ()),
        Part("Not everything could be read", lines=subject.problems),
        Part("Profile", _profile(measured)),
        _timing(measured),
        Part("Training", _training(measured)),
        _pictures(subject, data),
        Part("Own attempts", [grade_charts.attempts(subject.attempts)] if len(subject.attempts) else ()),
    ]
    if measured.machine:
        parts.append(Part("Measured on", lines=[", ".join(f"{name} {value}" for name, value in measured.machine.items())]))
    return render(f"Deep-learning lab: {subject.name}", parts, grade=subject.grade)


def class_page(klass: WholeClass, run_id: int | None = None) -> str:
    """What an instructor's pages show of one run.

    Args:
        klass: The class's database.
        run_id: The run; the newest by default.

    Raises:
        ResultsError: There is no such run.
    """
    runs = klass.runs()
    chosen = runs if run_id is None else runs[runs["id"] == run_id]
    if chosen.empty:
        raise ResultsError(
            "There is no run in this database yet." if run_id is None else f"There is no run {run_id}; `lab dashboard` lists them."
        )
    run = chosen.iloc[0]
    number = int(run["id"])
    results, missing, ended = klass.results(number), klass.missing(number), klass.look_into(number)
    graded = results[results["graded"]]
    items = klass.items(number)
    samples, curves = klass.sample_totals(number), klass.curves(number)
    lines = [
        f"{len(results)} submissions count, {len(graded)} of them graded; {int((results['late_days'] > 0).sum())} late; "
        f"{int((results['problem'] != '').sum())} cannot be taken; {len(missing)} students handed nothing in; "
        f"{ended['submission_id'].nunique()} submissions flagged."
    ]
    parts = [
        Part(
            "Overview", [classroom_charts.distribution(graded["score"], float(graded["points"].max()))] if len(graded) else (), lines=lines
        ),
        Part("Item analysis", *_items(items)),
        Part("Timings and curves", _class_measurements(samples, curves)),
        _flags(ended, samples, klass.same_content(number)),
        Part("Missing", tables=[Table("On the roster, nothing handed in", missing)] if len(missing) else ()),
    ]
    return render(f"Deep-learning lab: {run['source']}, run {number} ({run['state']})", parts)


def open_class(url: str, viewer: Viewer) -> WholeClass:
    """A class's database outside of the dashboard.

    Args:
        url: A file's name, or the URL of a database.
        viewer: Who looks.

    Raises:
        ResultsError: The database cannot be opened.
        Refused: The viewer is not an instructor.
    """
    return WholeClass(asking(url), viewer)


def asking(url: str) -> Ask:
    """Runs queries on a database.

    Args:
        url: A file's name, or the URL of a database.

    Raises:
        ResultsError: There is no such database.
        StoreError: It cannot be opened.
    """
    require_database(url)
    # No pool: a report asks a dozen times, and nothing is left open when it is done.
    engine = create_engine(store_url(url), poolclass=NullPool)

    def ask(sql: str, parameters: dict[str, object]) -> pd.DataFrame:
        try:
            with engine.connect() as connection:
                return pd.read_sql(text(sql), connection, params=parameters)
        except UNREADABLE as error:
            raise ResultsError(
                f"The class's database cannot be read ({type(error).__name__}); see that --db names the one of lab batch."
            ) from error

    return ask


def _profile(measured: Measured) -> list[Figure]:
    if measured.kernels.empty:
        return []
    charts = (profile_charts.kernel_time, profile_charts.arithmetic, profile_charts.images, profile_charts.roofline)
    return [chart(measured) for chart in charts]


def _timing(measured: Measured) -> Part:
    title = "Latency and throughput"
    if measured.samples.empty:
        return Part(title)
    figures = [timing_charts.latency_samples(measured)]
    modes = set(measured.samples["mode"])
    if ONLINE in modes:
        figures.append(timing_charts.online_total(measured))
    if BATCH in modes:
        figures.append(timing_charts.batch_throughput(measured))
    rows = [
        {
            "setting": label,
            "verdict": verdict.word,
            "rules broken": "; ".join(f"{rule.name}: {rule.found}" for rule in verdict.rules if not rule.kept) or "none",
            "what to do": verdict.advice,
        }
        for label, _, verdict in timing_charts.settings(measured)
    ]
    return Part(title, figures, tables=[Table("Verdicts; UNSTABLE never costs points", pd.DataFrame(rows))])


def _training(measured: Measured) -> list[Figure]:
    if measured.epochs.empty:
        return []
    figures = [training_charts.accuracy_curves(measured), training_charts.loss_curves(measured)]
    if measured.val_total:
        figures.append(training_charts.interval_by_size(measured))
    if len(measured.sweep):
        figures.append(training_charts.sweep(measured))
    return figures


def _pictures(subject: Subject, data: Path) -> Part:
    title = "What the network sees"
    if not subject.has_weights or subject.folder is None:
        return Part(title)
    try:
        seen = Seen(subject.folder, data)
        pictures = []
        for prediction in seen.predictions():
            name, probability = prediction.guesses[0]
            words = f"{prediction.image}: {prediction.truth}, taken for {name} ({probability:.0%})"
            pictures.append(Picture(words, words, enlarged(prediction.pixels)))
        for layer, maps in seen.feature_maps(seen.sample_images()[0]).items():
            words = f"{layer}: the first {len(maps)} channels, {maps.shape[1]} x {maps.shape[2]} each"
            pictures.append(Picture(words, words, strip(maps)))
        confused = seen.confusions()
        figures = [picture_charts.confusion(confused, factor, VALUES[factor]) for factor in FACTORS] if len(confused) else []
    except (DataError, ResultsError) as error:
        return Part(title, lines=[str(error)])
    return Part(title, figures, pictures)


def _items(items: pd.DataFrame) -> tuple[list[Figure], tuple[()], list[Table]]:
    if items.empty:
        return [], (), []
    table = classroom_charts.item_table(items)
    figures = [classroom_charts.difficulty(table)]
    if table["discrimination"].notna().any():
        figures.append(classroom_charts.discrimination(table))
    return figures, (), [Table("Every check", table)]


def _class_measurements(samples: pd.DataFrame, curves: pd.DataFrame) -> list[Figure]:
    figures = []
    if len(samples[samples["mode"] == BATCH]):
        figures.append(classroom_charts.class_throughput(samples, []))
    if len(curves):
        figures.append(classroom_charts.class_curves(curves, []))
    return figures


def _flags(ended: pd.DataFrame, samples: pd.DataFrame, same: pd.DataFrame) -> Part:
    tables = []
    if len(ended):
        tables.append(Table("Checks that crashed, timed out, or that the grader could not decide", ended.drop(columns="submission_id")))
    if len(samples):
        doubtful = samples[quick_word(samples) != "VALID"]
        if len(doubtful):
            columns = ["students", "mode", "count", "batch_size", "samples", "mean_s", "variation"]
            tables.append(Table("Timings that are not VALID", doubtful[columns]))
    if len(same):
        tables.append(Table("Submissions that are the same, byte for byte", same[["students", "submissions"]]))
    return Part("To look into", tables=tables)
