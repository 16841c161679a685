"""What `make demo` runs: measures and grades the reference and a partly wrong sample, then a whole class.

It prints both reports and the class's grades, writes them for Canvas and as a page for each student, and ends by serving the class in
the dashboard and printing its address; DEMO_SERVE=0 stops before that. Everything is written below build/demo/. A reference
that was measured there before, from the same sources, is not measured again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console
from rich.text import Text

from grader.artifacts import Results
from grader.attempts import keep
from grader.bank import assemble_all, entries, write_reference
from grader.checks.expected import findings_toml
from grader.errors import LabError
from grader.grade import grade
from grader.lab import FINDINGS_FILE
from grader.measure import measure
from grader.report.html import render_html
from grader.report.terminal import TerminalReport

SOLUTIONS: Final = Path("solutions")
DATA: Final = Path("data/small")
DEMO: Final = Path("build/demo")
STORE: Final = DEMO / "grades.db"

PORT: Final = 8501
"""Streamlit's own."""
ADDRESS: Final = f"http://127.0.0.1:{PORT}"
_DASHBOARD: Final = ("lab", "dashboard", str(DEMO / "reference"), "--db", str(STORE), "--submissions", str(DEMO / "class" / "download"))

MISTAKES: Final = (1, 3, 6, 10, 11)
"""The mistakes of the sample, by their number in the lab's list."""


def main() -> None:
    """Runs the demo.

    Raises:
        SystemExit: With 1 when the reference does not get all points or the sample gets them, 2 for something that can be mended.
    """
    console = Console(highlight=False)
    try:
        perfect = _demo(console)
    except LabError as error:
        console.print(Text(f"demo: {error}"))
        raise SystemExit(2) from error
    except KeyboardInterrupt:
        console.print("demo: interrupted; run it again, it continues")
        raise SystemExit(130) from None
    if perfect:
        _show(console)
    sys.exit(0 if perfect else 1)


def _show(console: Console) -> None:
    """Serves the dashboard on the class: until Ctrl-C on a terminal, and beside this command, which ends, where nobody sits at one."""
    if os.environ.get("DEMO_SERVE") == "0":
        console.print(Text(f"The dashboard shows the class: {' '.join(_DASHBOARD)}"), soft_wrap=True)
        return
    if sys.stdin.isatty():
        from dashboard.launch import serve

        console.print(Text(f"The dashboard is served on {ADDRESS} now; Ctrl-C ends it."))
        serve(DEMO / "reference", DATA, None, str(STORE), DEMO / "class" / "download", port=PORT, open_browser=False)
        return
    log = (DEMO / "dashboard.log").open("wb")
    options = ["--no-open", "--port", str(PORT)]
    command = [sys.executable, "-m", "grader", *_DASHBOARD[1:], *options]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    for _ in range(120):
        if process.poll() is not None:
            console.print(Text(f"demo: the dashboard could not be served; {log.name} tells why"))
            return
        try:
            httpx.get(f"{ADDRESS}/_stcore/health", timeout=1, trust_env=False).raise_for_status()
            break
        except httpx.HTTPError:
            time.sleep(0.5)
    console.print(Text(f"The dashboard is served on {ADDRESS} now; kill -- -{process.pid} ends it, and DEMO_SERVE=0 does without."))


def _demo(console: Console) -> bool:
    reference = write_reference(SOLUTIONS, DEMO / "reference")
    console.print(Text(f"Measuring the reference on {DATA} (six minutes the first time)"))
    measure(reference, DATA, console=console)
    (reference / FINDINGS_FILE).write_text(findings_toml(reference / FINDINGS_FILE, Results(reference)), encoding="utf-8")
    chosen = [entry for entry in entries(SOLUTIONS / "chaffs") if entry.mistake in MISTAKES]
    shutil.rmtree(DEMO / "sample", ignore_errors=True)
    sample = assemble_all(chosen, reference, DEMO / "sample")
    scores = [_report(folder, console) for folder in (sample, reference)]
    console.print(Text(f"\nThe same reports as HTML: {DEMO / 'sample.html'} and {DEMO / 'reference.html'}"))
    console.print(Text(f"reference {scores[1]:g}/100, partly wrong sample {scores[0]:g}/100"))
    return scores[1] == 100 and scores[0] < 100 and _class(console)


def _class(console: Console) -> bool:
    from grader.batch.progress import BatchProgress
    from grader.batch.roster import Roster
    from grader.batch.run import Options, run_batch
    from grader.batch.sample import DUE, write_class
    from grader.export import export_grades, write_feedback
    from grader.export.grades import Policy, grades_of
    from grader.store.results import Results

    console.rule("a class")
    folder = DEMO / "class"
    if not (folder / "roster.csv").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        write_class(folder, "canvas", SOLUTIONS)
    with Results.open(str(STORE)) as store:
        with BatchProgress(console) as progress:
            # The class is our own, so a machine without a sandbox may show it too.
            options = Options(course="demo", due=DUE, unsandboxed=True)
            summary = run_batch(folder / "download", Roster.read(folder / "roster.csv"), store, options, progress)
        grades = grades_of(store, store.run(summary.run_id), Policy(late_percent=10))
    export_grades("canvas", grades, DEMO / "canvas.csv", sheet=None, assignment="Lab 1 (12345)")
    pages = write_feedback(grades, DEMO / "feedback")
    for grade_ in grades:
        score = "-" if grade_.score is None else f"{grade_.score:g}"
        console.print(Text(f"{score:>6}  {grade_.student.name}: {grade_.comment}"))
    console.print(Text(f"{summary.submissions} submissions, {summary.graded} graded now, {summary.cached} graded before"))
    console.print(Text(f"store {STORE}, grades for Canvas {DEMO / 'canvas.csv'}, {len(pages)} pages in {DEMO / 'feedback'}"))
    return summary.whole


def _report(folder: Path, console: Console) -> float:
    console.rule(str(folder))
    with TerminalReport(console) as report:
        report.start(str(folder))
        result = grade(folder, listener=report.check)
        report.finish(result)
    keep(folder, result)  # for the dashboard's page of scores, as `lab grade` does
    (DEMO / f"{folder.name}.html").write_text(render_html(result), encoding="utf-8")
    return result.score


if __name__ == "__main__":
    main()
