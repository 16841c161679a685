"""The `lab` command: each verb is a few lines, and what it needs is imported inside it, so that `lab --help` comes at once.

Exit status: 0 when the verb did its work (whatever the grade), 1 when `doctor` or `data info` found a problem, 2 for something the person
at the keyboard can mend, 3 for a fault of the grader, 130 after Ctrl-C.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import typer
from typer.core import TyperCommand

from grader import __version__, class_verbs
from grader.errors import LabError, SubmissionError
from grader.lab import SECTION_POINTS, SECTIONS

if TYPE_CHECKING:
    from rich.console import Console

    from grader.results import GradeResult

EXIT_FAULT: Final = 3
EXIT_INTERRUPTED: Final = 130

DATA: Final = Path("data")
FAULTS_SHOWN: Final = 20
STANDARD_OUTPUT: Final = Path("-")


class _Verb(TyperCommand):
    """A verb whose errors reach the user as one line: what they can mend, Ctrl-C, and a fault of the grader."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except LabError as error:
            _complain(str(error))
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            _complain("interrupted")
            raise typer.Exit(EXIT_INTERRUPTED) from error
        except Exception as error:
            if isinstance(error, ModuleNotFoundError) and (error.name or "grader").partition(".")[0] not in ("grader", "dashboard"):
                _complain(
                    f"this needs the Python module {error.name}, which is not installed here; the commands for a class need more packages: "
                    "install them with `scripts/setup.sh instructor`, or without make with "
                    "`pip install -c constraints.txt -e '.[instructor,dashboard]'`"
                )
                raise typer.Exit(2) from error
            # The verb raised something nobody foresaw, so the cause is ours, not the user's.
            _complain(f"this is a fault of the grader, not of your work ({type(error).__name__}); details are in {_note(error)}")
            raise typer.Exit(EXIT_FAULT) from error


app = typer.Typer(
    name="lab",
    help="Measure, grade and hand in the deep-learning lab.",
    epilog="Start with: lab doctor, then lab data make, then lab grade",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(no_args_is_help=True, help="Make, fetch and inspect data sets, each in a folder of its own below data/.")
app.add_typer(data_app, name="data")

Submission = Annotated[Path, typer.Argument(metavar="PATH", help="The folder (or zip) of the submission.", show_default=True)]
Keyword = Annotated[
    str, typer.Option("--keyword", "-k", metavar="WORD", help="Only checks with this word in their name, as for pytest -k.")
]


@app.callback(invoke_without_command=True)
def _lab(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if version:
        typer.echo(f"lab {__version__}")
        raise typer.Exit


@app.command(cls=_Verb, epilog="Example: lab doctor")
def doctor() -> None:
    """Tell whether this machine can run the lab, and what to do where it cannot."""
    from grader.doctor import examine

    console = _console()
    failed = False
    for finding in examine(Path.cwd()):
        _print(console, finding.line())
        failed = failed or (finding.essential and not finding.ok)
    if failed:
        raise typer.Exit(1)


@app.command(cls=_Verb, epilog="Example: lab stubs --check")
def stubs(
    solutions: Annotated[Path, typer.Option(help="The folder of the reference solutions.")] = Path("solutions"),
    assignment: Annotated[Path, typer.Option(help="The folder to write the students' files to.")] = Path("assignment"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when a file differs.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that were edited.")] = False,
) -> None:
    """Write the students' files from the reference solutions (for instructors)."""
    from grader.stubs import write_stubs

    written = write_stubs(solutions, assignment, check=check, force=force)
    typer.echo("\n".join(f"wrote {file}" for file in written) or f"{assignment} holds the stubs of {solutions}")


@app.command(cls=_Verb, epilog="Example: lab grade assignment --section data --html report.html")
def grade(
    path: Submission = Path("assignment"),
    section: Annotated[str, typer.Option(metavar="SECTION", help=f"Only one section: {', '.join(SECTIONS)}.")] = "",
    keyword: Keyword = "",
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="[FILE]", help="Write the grade as JSON to FILE, or to standard output.")
    ] = None,
    html_file: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the report as one HTML page.")] = None,
    gradescope: Annotated[Path | None, typer.Option(metavar="FILE", help="Write Gradescope's results.json, on Gradescope itself.")] = None,
    classroom: Annotated[Path | None, typer.Option(metavar="FILE", help="Add GitHub Classroom's result to a workflow's output.")] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The course's secret, for an official grade; also $LAB_SECRET_FILE or $LAB_SECRET."),
    ] = None,
    worker: Annotated[str, typer.Option(metavar="KIND", help="How submissions are run: auto, zygote or subprocess.")] = "auto",
) -> None:
    """Grade a submission: public checks, or all of them with the course's secret."""
    # With JSON on standard output the report goes to the other stream, so that the output can be piped.
    console = _console(stderr=json_file == STANDARD_OUTPUT)
    try:
        result = _grade(path, console, keyword=_selection(section, keyword), secret=_secret(secret_file), worker=worker)
    except SubmissionError as error:
        if gradescope is None and classroom is None:
            raise
        # The course system shows students what is written here, and of an exit status only that there was one.
        _hand_over(None, str(error), gradescope, classroom)
        _complain(str(error))
        return
    _hand_over(result.for_student(), "", gradescope, classroom)
    if json_file == STANDARD_OUTPUT:
        sys.stdout.write(result.to_json() + "\n")
    elif json_file is not None:
        _write(json_file, result.to_json() + "\n")
    if html_file is not None:
        from grader.report.html import render_html

        _write(html_file, render_html(result))


@app.command(cls=_Verb, epilog="Example: lab measure assignment --data data/small --plan quick")
def measure(
    path: Submission = Path("assignment"),
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="The data set to measure on.")] = DATA / "small",
    plan: Annotated[str, typer.Option(metavar="PLAN", help="standard, or quick for a try-out.")] = "standard",
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure everything again, also what is measured already.")] = False,
) -> None:
    """Run your functions on real data and write results/ into the submission's folder."""
    console = _console()
    _print(console, f"Measuring {path} on {data} ({plan} plan)")
    from grader.measure import measure as run_measure

    run_measure(path, data, plan=plan, console=console, fresh=fresh)


@app.command(cls=_Verb, epilog="Example: lab watch assignment --section data")
def watch(
    path: Submission = Path("assignment"),
    section: Annotated[list[str] | None, typer.Option(metavar="SECTION", help="Watch only this section; may be given again.")] = None,
) -> None:
    """Grade a section again whenever its file is saved, until Ctrl-C."""
    sections = tuple(section or SECTIONS)
    for name in sections:
        _selection(name, "")
    console = _console()
    _print(console, f"Watching {path}; Ctrl-C ends")
    from grader.watch import watch as run_watch

    run_watch(path, sections, console)


@app.command(cls=_Verb, epilog='Example: lab submit assignment --name "Ada Lovelace"')
def submit(
    path: Submission = Path("assignment"),
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="The zip file to write.")] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="Your name, for the receipt and the file's name.")] = "",
    incomplete: Annotated[bool, typer.Option("--incomplete", help="Pack even when something is missing.")] = False,
) -> None:
    """Check that all is there, grade, pack it into a zip and print a receipt."""
    from grader.submit import find_missing
    from grader.submit import submit as run_submit

    # Before the grading, which takes a minute: what is missing is known at once.
    if not incomplete and (missing := find_missing(path)):
        raise SubmissionError(
            f"{path} is not complete: {'; '.join(missing)}. Mend that, or hand in as it is with `lab submit --incomplete`."
        )
    console = _console()
    result = _grade(path, console)
    receipt = run_submit(path, output, result, name=name, allow_incomplete=incomplete)
    console.print("\nReceipt: keep these lines")
    for line in receipt.lines():
        _print(console, line)


@app.command(cls=_Verb, epilog="Example: lab dashboard assignment, or: lab dashboard --db grades.db")
def dashboard(
    path: Submission = Path("assignment"),
    db: Annotated[
        str,
        typer.Option("--db", metavar="URL", envvar="LAB_DB", help="Show a class: the file or PostgreSQL URL that lab batch wrote to."),
    ] = "",
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="The data set that pictures are taken from.")] = DATA / "small",
    grade_file: Annotated[
        Path | None, typer.Option("--grade", metavar="FILE", help="Show this grade, as lab grade --json wrote it, instead of the newest.")
    ] = None,
    submissions: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="With --db: the download that was graded, to show the code as well.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes Streamlit's own, 8501.")] = 0,
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open a browser on it.")] = True,
) -> None:
    """Show your results, or with --db a class, in a browser; only this machine can reach it. Ctrl-C ends."""
    from dashboard.launch import serve

    raise typer.Exit(serve(path, data, grade_file, db or None, submissions, port=port, open_browser=browser))


@app.command(cls=_Verb, epilog="Example: lab report assignment -o report.html, or: lab report --db grades.db -o class.html")
def report(
    path: Submission = Path("assignment"),
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The HTML file to write.")] = Path("report.html"),
    db: Annotated[str, typer.Option("--db", metavar="URL", help="Report on a class: the database of lab batch.")] = "",
    run: Annotated[int, typer.Option(min=0, help="With --db: the run; 0 takes the newest.")] = 0,
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="The data set that pictures are taken from.")] = DATA / "small",
) -> None:
    """Write the dashboard's charts as one HTML page that needs no server and no network."""
    from dashboard.launch import require_dashboard

    require_dashboard()
    from dashboard.write import write_class, write_student

    if db:
        write_class(db, run or None, output)
    else:
        write_student(path, data, output)
    typer.echo(f"wrote {output}")


@data_app.command("make", cls=_Verb, epilog="Example: lab data make full")
def data_make(
    size: Annotated[str, typer.Argument(metavar="SIZE", help="small (6200 pictures) or full (as many as Tiny ImageNet).")] = "small",
    folder: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where to; by default data/SIZE.")] = None,
    seed: Annotated[int, typer.Option(help="Other seeds give other pictures of the same classes.")] = 0,
) -> None:
    """Draw the embedded data set; run again after an interruption, it continues."""
    console = _console()
    target = folder if folder is not None else DATA / size
    _print(console, f"Drawing the {size} data set into {target}")
    from grader.dataset.make import make_dataset

    with _Progress(console, "pictures") as progress:
        manifest = make_dataset(target, size, seed=seed, progress=progress)
    _print(console, f"{target} holds {manifest.name}, seed {manifest.seed}")


@data_app.command("fetch", cls=_Verb, epilog="Example: lab data fetch")
def data_fetch(
    folder: Annotated[Path, typer.Option(metavar="FOLDER", help="Where to.")] = DATA / "tiny-imagenet-200",
) -> None:
    """Fetch Tiny ImageNet itself (237 MB); run again after an interruption, it continues."""
    console = _console()
    _print(console, f"Fetching Tiny ImageNet into {folder}")
    from grader.dataset.fetch import fetch

    with _Progress(console, "bytes") as progress:
        fetch(folder, progress=progress)
    _print(console, f"{folder} holds Tiny ImageNet; lab data info {folder} tells more")


@data_app.command("info", cls=_Verb, epilog="Example: lab data info data/small --full")
def data_info(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The data set.")] = DATA / "small",
    full: Annotated[bool, typer.Option("--full", help="Read every picture; takes a minute for a full set.")] = False,
) -> None:
    """Tell what a data folder holds and what in it is broken; exit status 1 when something is."""
    from grader.dataset.inspect import inspect

    console = _console()
    with _Progress(console, "files") as progress:
        info = inspect(folder, full=full, progress=progress)
    grey = "" if info.grey is None else f", {info.grey} of them greyscale"
    labels = f"{info.labels.classes} classes, {'sorted' if info.labels.is_sorted else 'not sorted'}, the first is {info.labels.first}"
    identity = "" if info.manifest_sha256 is None else f", seed {info.seed}, SHA-256 {info.manifest_sha256}"
    lines = [f"{folder}: {info.name}{identity}", ", ".join(f"{split} {count}" for split, count in info.counts.items()) + grey, labels]
    lines += [f"broken: {fault}" for fault in info.faults[:FAULTS_SHOWN]]
    if len(info.faults) > FAULTS_SHOWN:
        lines.append(f"... and {len(info.faults) - FAULTS_SHOWN} more")
    if info.whole:
        lines.append("whole, every picture read" if info.full else "whole, as far as a quick look tells; --full reads every picture")
    for line in lines:
        _print(console, line)
    if not info.whole:
        raise typer.Exit(1)


class_verbs.add_verbs(app, _Verb)


def main() -> None:
    """Entry point of the console command."""
    app(args=_with_json_default(sys.argv[1:]), prog_name="lab")


def _grade(path: Path, console: Console, *, keyword: str = "", secret: bytes | None = None, worker: str = "auto") -> GradeResult:
    from grader.report.terminal import TerminalReport

    with TerminalReport(console) as report:
        report.start(str(path))
        # Only now: the rubric's libraries take a second to import, and the line above is on the screen already.
        from grader.grade import grade as run_grade

        result = run_grade(path, keyword=keyword, secret=secret, listener=report.check, worker=worker)
        report.finish(result)
    if not keyword and not result.official and path.is_dir():
        _keep(path, result, console)
    return result


def _hand_over(shown: GradeResult | None, problem: str, gradescope: Path | None, classroom: Path | None) -> None:
    """Writes what the course system that runs this command reads."""
    if gradescope is not None:
        import json

        from grader.report.gradescope import nothing_graded, results_document

        document = results_document(shown) if shown is not None else nothing_graded(problem)
        _write(gradescope, json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
    if classroom is not None:
        from grader.report.classroom import output_line, runner_result

        line = output_line(runner_result(shown, total=SECTION_POINTS * len(SECTIONS), problem=problem))
        # Added at the end: other steps' outputs are in the file too.
        _write(classroom, (classroom.read_text(encoding="utf-8") if classroom.is_file() else "") + line)


def _keep(path: Path, result: GradeResult, console: Console) -> None:
    """Keeps a whole public grading for the dashboard; a folder that cannot be written to costs no more than that."""
    from grader.attempts import keep

    try:
        keep(path, result)
    except (OSError, LabError) as error:
        _print(console, f"This grading is not kept for the dashboard: {error}")


def _selection(section: str, keyword: str) -> str:
    """What pytest's `-k` is given: a section is its file of the rubric; `data/label_map`, as reports name a check, is understood too."""
    if section and section not in SECTIONS:
        raise SubmissionError(f"There is no section {section!r}; expected one of {', '.join(SECTIONS)}.")
    named, slash, check = keyword.partition("/")
    if slash and named in SECTIONS:
        return " and ".join(part for part in (_selection(section, ""), f"test_{named}.py", check) if part)
    return " and ".join(part for part in (f"test_{section}.py" if section else "", f"({keyword})" if keyword else "") if part)


def _secret(file: Path | None) -> bytes | None:
    """The course's secret from the option or the environment, which is cleared of it: workers inherit what is left there."""
    named, direct = os.environ.pop("LAB_SECRET_FILE", ""), os.environ.pop("LAB_SECRET", "")
    source = file if file is not None else Path(named) if named else None
    if source is None:
        return direct.encode() or None
    try:
        secret = source.read_bytes().strip()
    except OSError as error:
        raise SubmissionError(f"The secret cannot be read from {source} ({error.strerror}); give a file with --secret-file.") from error
    if not secret:
        raise SubmissionError(f"The secret file {source} is empty; expected the course's secret in it.")
    return secret


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def _print(console: Console, line: str) -> None:
    from rich.text import Text

    from grader.report.text import one_line

    console.print(Text(one_line(line)), soft_wrap=True)


class _Progress:
    """A bar on a terminal; in a pipe nothing, or a line for each tenth. Called with how much is done and how much there is."""

    def __init__(self, console: Console, unit: str, *, lines: bool = False) -> None:
        from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        count = (DownloadColumn(),) if unit == "bytes" else (MofNCompleteColumn(), TextColumn(unit))
        columns = (BarColumn(), *count, TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task(unit, total=None)
        self._unit = unit
        self._lines = lines and not console.is_terminal

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def __call__(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total)
        if self._lines and 10 * done // total > 10 * (done - 1) // total:
            typer.echo(f"{done} of {total} {self._unit}", err=True)


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise SubmissionError(f"Cannot write {file} ({error.strerror}); give another file.") from error
    typer.echo(f"Wrote {file}", err=True)


def _complain(text: str) -> None:
    from grader.report.text import one_line

    typer.echo(f"lab: {one_line(text)}", err=True)


def _note(error: Exception) -> Path | str:
    """Writes the traceback to a file of the user's and says where."""
    import platformdirs

    name = f"fault-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    text = f"lab {__version__}, Python {sys.version}\n\n" + "".join(traceback.format_exception(error))
    for folder in (Path(platformdirs.user_log_dir("deep-learning-lab")), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue
        return folder / name
    return f"no file, since none could be written: {error}"


def _with_json_default(arguments: list[str]) -> list[str]:
    """`--json` without a file means standard output; typer has no option with an optional value."""
    given = []
    for argument, following in zip(arguments, [*arguments[1:], "--"], strict=True):
        given.append(argument)
        if argument == "--json" and following.startswith("-") and following != "-":
            given.append("-")
    return given
