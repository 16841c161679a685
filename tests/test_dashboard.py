"""The page: useful when nothing is there, true when something is, and a submission's text stays text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("streamlit", reason="the dashboard is an extra")

from streamlit.testing.v1 import AppTest
from test_submit import example_results

from grader.results import Cause, CheckResult, Feedback, GradeResult, State

APP = Path(__file__).resolve().parent.parent / "dashboard" / "app.py"

# Streamlit's own warnings are none of ours, and its page must work all the same.
pytestmark = pytest.mark.filterwarnings("default")


def page(folder: Path) -> AppTest:
    """The page for the grade and submission in a folder."""
    app = AppTest.from_file(str(APP), default_timeout=60).run()
    app.text_input(key="grade").set_value(str(folder / "grade.json"))
    app.text_input(key="submission").set_value(str(folder / "assignment"))
    return app.run()


def test_page_with_nothing_tells_what_to_do(tmp_path: Path) -> None:
    """Without grade and results the page names the two commands that make them."""
    app = page(tmp_path)
    assert not app.exception
    said = " ".join(info.value for info in app.info)
    assert "lab grade" in said
    assert "lab measure" in said


def test_page_shows_a_grade_and_its_measurements(tmp_path: Path) -> None:
    """Score, one row a check with its words escaped, and a chart for each kind of measurement."""
    feedback = Feedback("**bold** <script>\x1b[31m", where="assignment/data.py:1 f")
    checks = (
        CheckResult("data/one", "One", State.PASSED, 2, 2),
        CheckResult("data/two", "Two", State.FAILED, 3, 0, cause=Cause.STUDENT_ERROR, feedback=feedback),
    )
    grade = GradeResult("me", "ab" * 32, checks, False, "0.1.0", "zygote", "2026-01-01T00:00:00Z", 1.0)
    (tmp_path / "grade.json").write_text(grade.to_json(), encoding="utf-8")
    results = tmp_path / "assignment" / "results"
    results.mkdir(parents=True)
    for name, document in example_results({}).items():
        (results / name).write_text(json.dumps(document))
    app = page(tmp_path)
    assert not app.exception
    assert not app.warning
    assert [metric.value for metric in app.metric] == ["2/5", "1 of 2", "public"]
    assert list(app.dataframe[0].value["what is wrong"]) == ["", r"**bold** <script>\x1b[31m"]
    assert len(app.get("vega_lite_chart")) == 4


def test_damaged_files_are_named(tmp_path: Path) -> None:
    """A grade that is none and a file that is cut short are said, and the rest of the page is still there."""
    (tmp_path / "grade.json").write_text("[]")
    results = tmp_path / "assignment" / "results"
    results.mkdir(parents=True)
    for name, document in example_results({}).items():
        (results / name).write_text(json.dumps(document))
    (results / "timings.json").write_text("{")
    app = page(tmp_path)
    assert not app.exception
    assert [error.value for error in app.error] == ["This grade cannot be read."]
    assert any("timings.json" in text.value for text in app.text)
    assert len(app.get("vega_lite_chart")) == 2
