"""What `make demo` runs: measures and grades the reference, then a sample that is partly wrong, and prints both reports.

Everything is written below build/demo/. A reference that was measured there before, from the same sources, is not measured again.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from grader.artifacts import Results
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
    sys.exit(0 if perfect else 1)


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
    return scores[1] == 100 and scores[0] < 100


def _report(folder: Path, console: Console) -> float:
    console.rule(str(folder))
    with TerminalReport(console) as report:
        report.start(str(folder))
        result = grade(folder, listener=report.check)
        report.finish(result)
    (DEMO / f"{folder.name}.html").write_text(render_html(result), encoding="utf-8")
    return result.score


if __name__ == "__main__":
    main()
