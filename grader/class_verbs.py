"""The verbs of `lab` for a whole class; each is a few lines, and what it needs is imported inside it."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from typer.core import TyperCommand

from grader.errors import LabError

if TYPE_CHECKING:
    from grader.batch.pool import LocalPool

DATABASE: Final = "grades.db"
Db = Annotated[str, typer.Option("--db", metavar="STORE", envvar="LAB_DB", help="The store: a file, or a postgresql:// URL.")]
RunNumber = Annotated[int | None, typer.Option("--run", metavar="NUMBER", help="Which run; the newest by default.")]

REPEATS: Final = 20
"""Gradings of right submissions in a whole validation: enough to see that they come out alike. A bound worth having takes more."""


def add_verbs(app: typer.Typer, verb: type[TyperCommand]) -> None:
    """Adds the verbs to the command.

    Args:
        app: The `lab` command.
        verb: The class of its verbs, which turns errors into sentences.
    """
    app.command("batch", cls=verb, epilog="Example: lab batch downloads/lab1 --roster roster.csv --due 2026-10-01T23:59")(batch)
    app.command("export", cls=verb, epilog="Example: lab export canvas grades.csv --assignment 'Lab 1 (12345)'")(export)
    app.command("similar", cls=verb, epilog="Example: lab similar downloads/lab1 --roster roster.csv -o similar.html")(similar)
    app.command("sample-class", cls=verb, epilog="Example: lab sample-class build/class --layout canvas")(sample_class)
    app.command("release", cls=verb, epilog="Example: lab release build/students")(release)
    package = typer.Typer(no_args_is_help=True, help="Make what runs this grader in a course system.")
    package.command("gradescope", cls=verb, epilog="Example: lab package gradescope build/autograder.zip")(package_gradescope)
    package.command("classroom", cls=verb, epilog="Example: lab package classroom build/template")(package_classroom)
    app.add_typer(package, name="package")
    app.command("validate", cls=verb, epilog="Example: lab validate, or: lab validate --only mutants --section timing")(validate)
    runs = typer.Typer(no_args_is_help=True, help="List runs of a class, and compare two of them.")
    runs.command("list", cls=verb, epilog="Example: lab runs list")(runs_list)
    runs.command("diff", cls=verb, epilog="Example: lab runs diff 1 2")(runs_diff)
    app.add_typer(runs, name="runs")


def batch(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="The folder of the course system's download, unpacked.")],
    roster: Annotated[Path | None, typer.Option(metavar="CSV", help="The students of the class.")] = None,
    db: Db = DATABASE,
    layout: Annotated[
        str, typer.Option(metavar="LAYOUT", help="auto, folder, canvas, moodle, gradescope or classroom.", show_default=True)
    ] = "auto",
    course: Annotated[str, typer.Option(metavar="NAME", help="What the class is called; by default the folder's name.")] = "",
    due: Annotated[str, typer.Option(metavar="TIME", help="When it was due, as 2026-10-01T23:59; this machine's zone by default.")] = "",
    rule: Annotated[str, typer.Option(metavar="RULE", help="Which of several counts: latest or best.")] = "latest",
    keyword: Annotated[str, typer.Option("--keyword", "-k", metavar="WORD", help="Only these checks, as for pytest -k.")] = "",
    secret_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The course's secret, for official grades; also $LAB_SECRET_FILE or $LAB_SECRET.")
    ] = None,
    processes: Annotated[int, typer.Option(metavar="N", min=0, help="Submissions at once; 0 for as many as fit.")] = 0,
    scheduler: Annotated[str, typer.Option(metavar="ADDRESS", help="Grade on a Dask cluster: tcp://HOST:PORT.")] = "",
    unsandboxed: Annotated[bool, typer.Option("--unsandboxed", help="Grade even where nothing holds the submissions.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Grade again what is graded already.")] = False,
) -> None:
    """Grade a class. Given again after any interruption, the same command goes on."""
    with _graders_ahead(source, db, processes, scheduler) as graders:
        from rich.console import Console

        from grader.batch.progress import BatchProgress
        from grader.batch.roster import Roster
        from grader.batch.run import Options, run_batch
        from grader.cli import _secret
        from grader.store.results import Results

        options = Options(course, layout, _time(due), rule, keyword, _secret(secret_file), processes, scheduler, unsandboxed, force)
        people = Roster.read(roster) if roster is not None else Roster()
        console = Console(highlight=False)
        with Results.open(db) as store, BatchProgress(console) as progress:
            summary = run_batch(source, people, store, options, progress, graders=graders)
    for remark in summary.remarks:
        _say(remark)
    for failure in summary.failed:
        _say(f"not graded: {failure}")
    again = ", which went on" if summary.resumed else ""
    _say(
        f"run {summary.run_id}{again}: {summary.submissions} submissions, {summary.graded} graded now, {summary.cached} graded before, "
        f"{len(summary.failed)} not graded"
    )
    if options.secret is None:
        _say("public checks only, whose examples students have seen; --secret-file FILE makes the grades official")


@contextmanager
def _graders_ahead(source: Path, db: str, processes: int, scheduler: str) -> Iterator[LocalPool | None]:
    """Starts the grader processes at once where a class is graded for the first time, so that they import TensorFlow while it is read.

    Where there is a store already, all may be graded, and none is needed.
    """
    if scheduler or "://" in db or Path(db).exists() or not source.is_dir():
        yield None
        return
    from grader.batch.pool import LocalPool

    with closing(LocalPool(processes)) as graders:
        graders.start()
        yield graders


def export(
    system: Annotated[str, typer.Argument(metavar="SYSTEM", help="canvas, gradescope, moodle or csv.")],
    target: Annotated[Path, typer.Argument(metavar="FILE", help="What to write; a folder for gradescope.")],
    db: Db = DATABASE,
    run: RunNumber = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="CSV", help="What the course system let you download: Canvas's gradebook, Moodle's worksheet.")
    ] = None,
    assignment: Annotated[str, typer.Option(metavar="TITLE", help="Canvas: the column's title, `Lab 1 (12345)`.")] = "Lab 1",
    late_penalty: Annotated[float, typer.Option(metavar="PERCENT", min=0, max=100, help="Taken off for each late day.")] = 0.0,
    grace_days: Annotated[int, typer.Option(metavar="DAYS", min=0, help="Late days that cost nothing.")] = 0,
    feedback: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Also write an HTML page for each student.")] = None,
) -> None:
    """Write the grades of a run for a course system."""
    from grader.export import export_grades, write_feedback
    from grader.export.grades import Policy, grades_of
    from grader.store.results import Results

    with Results.open(_existing(db)) as store:
        chosen = store.run(run)
        grades = grades_of(store, chosen, Policy(late_penalty, grace_days))
        remarks = export_grades(system, grades, target, sheet=sheet, assignment=assignment)
        if feedback is not None:
            write_feedback(grades, feedback)
    for remark in remarks:
        _say(remark)
    _say(f"wrote {len(grades)} grades of run {chosen.id} to {target}")


def similar(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="The folder of the course system's download, unpacked.")],
    roster: Annotated[Path | None, typer.Option(metavar="CSV", help="The students of the class.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The HTML page with the pairs side by side.")] = Path(
        "similar.html"
    ),
    layout: Annotated[str, typer.Option(metavar="LAYOUT", help="auto, folder, canvas, moodle, gradescope or classroom.")] = "auto",
    stubs_folder: Annotated[Path, typer.Option("--stubs", metavar="FOLDER", help="What students started from.")] = Path("assignment"),
    least: Annotated[float, typer.Option(metavar="SHARE", min=0, max=1, help="The smallest share to tell, 0 to 1.")] = 0.5,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many pairs.")] = 50,
) -> None:
    """Compare the code of a class, and write the pairs that share most side by side."""
    from grader.batch.intake import read_class
    from grader.batch.roster import Roster
    from grader.cli import _write
    from grader.similar import compare, read_stubs, read_texts, render_pairs

    given = read_stubs(stubs_folder)
    if not given:
        raise LabError(f"There are no stubs in {stubs_folder}; name the folder that students started from with --stubs.")
    intake = read_class(source, Roster.read(roster) if roster is not None else Roster(), layout=layout)
    remarks: list[str] = []
    texts = read_texts(intake, remarks)
    pairs = compare(texts, given, least=least)
    for remark in remarks:
        _say(remark)
    for pair in pairs[:top]:
        _say(f"{pair.share:4.0%}  {pair.first.students} and {pair.second.students} ({pair.where})")
    _write(output, render_pairs(pairs[:top], compared=len(texts)))
    more = f", the {top} first of them told" if len(pairs) > top else ""
    _say(f"{len(pairs)} pairs of {len(texts)} submissions share {least:.0%} or more of the smaller one's own code{more}; see {output}")


def sample_class(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to; it must not exist yet.")],
    layout: Annotated[str, typer.Option(metavar="LAYOUT", help="folder, canvas, moodle, gradescope or classroom.")] = "folder",
    solutions: Annotated[Path, typer.Option(help="The folder of the reference solutions.")] = Path("solutions"),
    students: Annotated[int, typer.Option(metavar="N", min=24, help="How many submissions at least.")] = 24,
) -> None:
    """Assemble a class to try things on: right, wrong, broken, late, duplicate and hostile submissions, and a roster."""
    from grader.batch.sample import write_class

    made = write_class(folder, layout, solutions, students=students)
    _say(f"{made.submissions} submissions of {made.students} students in {made.source}, roster in {made.roster}")


def release(folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to; new or empty.")]) -> None:
    """Write what students get: stubs and grader, without solutions, tests, secrets or history."""
    from grader.release import write_release

    _say(f"wrote {write_release(folder)} files into {folder}; students start with its README.md")


def package_gradescope(
    target: Annotated[Path, typer.Argument(metavar="ZIP", help="The zip to write.")],
    secret_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The course's secret, for official grades; it goes into the zip.")
    ] = None,
) -> None:
    """Make the autograder that Gradescope takes."""
    from grader.cli import _secret
    from grader.release import write_gradescope

    _say(
        f"wrote {write_gradescope(target, secret=_secret(secret_file))} files into {target}; its README.txt tells which container to choose"
    )


def package_classroom(folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to; new or empty.")]) -> None:
    """Make the template repository for GitHub Classroom."""
    from grader.release import write_classroom

    _say(f"wrote {write_classroom(folder)} files into {folder}; make it a repository and choose it as the assignment's template")


def validate(
    solutions: Annotated[Path, typer.Option(help="The folder of the reference solutions, with wheats/ and chaffs/.")] = Path("solutions"),
    only: Annotated[list[str] | None, typer.Option(metavar="PART", help="wheats, chaffs or mutants; may be given again.")] = None,
    section: Annotated[list[str] | None, typer.Option(metavar="SECTION", help="Only this section; may be given again.")] = None,
    repeat: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Grade right submissions N times, each with another secret; 20 beside all the rest."),
    ] = None,
    first: Annotated[
        int, typer.Option(metavar="N", min=0, help="Number of the first repeat: each has a secret of its own, so that runs add up.")
    ] = 0,
    keyword: Annotated[str, typer.Option("--keyword", "-k", metavar="WORD", help="Repeat only these checks, as for pytest -k.")] = "",
    several: Annotated[
        int, typer.Option(metavar="N", min=0, help="Also grade N submissions with several mistakes, each also with one mended.")
    ] = 0,
    load: Annotated[bool, typer.Option("--load", help="Keep all cores busy and memory scarce meanwhile.")] = False,
    processes: Annotated[int, typer.Option(metavar="N", min=0, help="Gradings at a time; 0 for one on each core, under load two.")] = 0,
    matrix: Annotated[Path | None, typer.Option(metavar="CSV", help="Write the whole matrix.")] = None,
    feedback: Annotated[Path | None, typer.Option(metavar="FILE", help="Write what students are told for each chaff.")] = None,
) -> None:
    """Measure how often the grader is wrong: right and wrong submissions, mutants, repeats. Exit status 1 when it does not hold."""
    from rich.console import Console

    from grader.cli import _Progress, _write
    from grader.lab import SECTIONS
    from grader.validate import validate as run_validation
    from grader.validate.report import feedback_page, matrix_csv, show
    from grader.validate.validation import PARTS, prepare

    all_of_it = not (only or section or several) and repeat is None
    parts = only if only is not None else [] if repeat or several else PARTS
    _known("part", parts, PARTS)
    _known("section", section or (), SECTIONS)
    console = Console(highlight=False)
    validation = prepare(solutions, parts, section or SECTIONS)
    try:
        with _Progress(console, "gradings", lines=True) as progress:
            run_validation(
                validation,
                repeat=REPEATS if all_of_it else repeat or 0,
                first=first,
                keyword=keyword,
                several=several,
                under_load=load,
                processes=processes,
                listener=lambda _, count: progress(len(validation.trials), count),
            )
    except KeyboardInterrupt:
        # Hours may be in it: what was found until now is told.
        _say("stopped before the end; what was tried by then:")
        show(validation, console)
        raise
    show(validation, console)
    if matrix is not None:
        _write(matrix, matrix_csv(validation))
    if feedback is not None:
        _write(feedback, feedback_page(validation))
    if not validation.holds:
        raise typer.Exit(1)


def runs_list(db: Db = DATABASE) -> None:
    """List the runs in a store."""
    from grader.store.results import Results

    with Results.open(_existing(db)) as store:
        for run in store.runs():
            _say(f"{run.id:4}  {run.started_at:%Y-%m-%d %H:%M}  {run.state:10}  {run.submissions:5} submissions  {run.source}")


def runs_diff(
    first: Annotated[int, typer.Argument(metavar="A", help="The earlier run.")],
    second: Annotated[int, typer.Argument(metavar="B", help="The later run.")],
    db: Db = DATABASE,
) -> None:
    """Tell whose grade differs between two runs, and in which checks."""
    from grader.batch.compare import changes
    from grader.store.results import Results

    with Results.open(_existing(db)) as store:
        found = changes(store, store.run(first), store.run(second))
    for change in found:
        _say(f"{change.student}: {_points(change.before)} -> {_points(change.after)}")
        for line in change.checks:
            _say(f"    {line}")
    _say(f"{len(found)} grades differ between run {first} and run {second}")


def _known(what: str, given: Iterable[str], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            raise LabError(f"There is no {what} {name!r}; expected one of {', '.join(known)}.")


def _points(score: float | None) -> str:
    return "none" if score is None else f"{score:g}"


def _existing(db: str) -> str:
    if "://" not in db and not Path(db).is_file():
        raise LabError(f"There is no store {db} yet; `lab batch` makes one, and --db names another.")
    return db


def _time(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise LabError(f"Expected a time such as 2026-10-01T23:59, received {text!r}.") from error


def _say(line: str) -> None:
    from grader.report.text import one_line

    sys.stdout.write(one_line(line) + "\n")
