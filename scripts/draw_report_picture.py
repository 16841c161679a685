"""Draws docs/pictures/report.svg: the terminal report of a made-up grading, as the README shows it."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from grader import __version__
from grader.report.terminal import TerminalReport
from grader.results import Cause, CheckResult, Feedback, GradeResult, State

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "report.svg"

SHAPE = Feedback(
    summary="The image has the wrong number of channels.",
    comparison=("expected  (64, 64, 3) float32", "received  (64, 64, 1) float32"),
    help="Some JPEGs of the data set are greyscale; decode them to three equal channels.",
    example="decode_image(grey_jpeg(seed=3)).shape",
    where="assignment/data.py:58 decode_image",
)
OPEN = Feedback(summary="not started", where="assignment/data.py:131 wilson_interval")
CHECKS = (
    CheckResult("data/label_map", "Labels are line numbers of wnids.txt", State.PASSED, 2, 2),
    CheckResult(
        "data/decode_grey",
        "A greyscale JPEG becomes three equal channels",
        State.FAILED,
        2,
        0,
        cause=Cause.STUDENT_ERROR,
        feedback=SHAPE,
        command="lab grade assignment -k data/decode_grey",
    ),
    CheckResult("data/wilson", "The Wilson interval of an accuracy", State.NOT_STARTED, 2, 0, feedback=OPEN),
    CheckResult("timing/warm_up", "Warm-up calls lie outside the timed region", State.PASSED, 4, 4),
)


def main() -> None:
    """Draws the picture."""
    console = Console(record=True, width=78, file=io.StringIO(), force_terminal=False, color_system="truecolor", highlight=False)
    result = GradeResult("assignment", "0" * 64, CHECKS, False, __version__, "zygote", "2026-01-01T00:00:00Z", 1.0)
    with TerminalReport(console) as report:
        report.start("assignment")
        report.finish(result)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    # Without rich's web font: the picture then needs nothing from the network. A fixed id: it changes only when the report does.
    frame = re.sub(r"@font-face \{\{.*?\}\}|<!--.*?-->", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    console.save_svg(str(PICTURE), title="lab grade assignment", unique_id="report", code_format=frame)


if __name__ == "__main__":
    main()
