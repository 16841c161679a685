"""A student's own pages: useful when nothing is there, true when something is, and a submission's text stays text."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from samples import EVIL, grade, measurements, write_submission
from streamlit.testing.v1 import AppTest

from dashboard import session
from grader.report.text import one_line

APP = Path(session.__file__).with_name("app.py")
PAGES = ("score", "profile", "timing", "training", "pictures", "attempts")

# Streamlit's own warnings are none of ours, and its pages must work all the same.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, data: Path):
    """Opens a page on a folder."""

    def open_page(folder: Path, name: str = "score") -> AppTest:
        monkeypatch.delenv(session.DATABASE, raising=False)
        monkeypatch.setenv(session.FOLDER, str(folder))
        monkeypatch.setenv(session.DATA, str(data))
        app = AppTest.from_file(str(APP), default_timeout=120).run()
        return app if name == "score" else app.switch_page(f"app_pages/{name}.py").run()

    return open_page


def said(app: AppTest) -> str:
    """All plain text and boxes of a page."""
    parts = [*app.text, *app.info, *app.warning, *app.error, *app.success, *app.caption, *app.code]
    return "\n".join(str(part.value) for part in parts)


@pytest.mark.parametrize("name", PAGES)
def test_page_with_nothing_tells_what_to_do(page, tmp_path: Path, name: str) -> None:
    """Without grade and results each page names the command that makes what it would show."""
    app = page(tmp_path / "assignment", name)
    assert not app.exception
    assert "lab grade" in said(app) or "lab measure" in said(app)
    assert not app.get("vega_lite_chart")


@pytest.mark.parametrize(
    ("name", "charts"), [("score", 1), ("profile", 4), ("timing", 3), ("training", 4), ("pictures", 3), ("attempts", 1)]
)
def test_page_shows_what_was_measured(page, submission: Path, name: str, charts: int) -> None:
    """With everything there, each page has its charts, nothing is missing and nothing fails."""
    app = page(submission, name)
    assert not app.exception
    assert not app.warning
    assert len(app.get("vega_lite_chart")) == charts
    assert len(app.get("download_button")) == charts


def test_score_shows_newest_grading_and_text_as_text(page, submission: Path) -> None:
    """The newest kept grading is shown, and hostile feedback reaches the page as plain text only."""
    app = page(submission)
    assert [metric.value for metric in app.metric] == ["3.5/5", "1 of 2", "public"]
    assert any(text.value == one_line(EVIL + "\x1b[31m") for text in app.text)
    for shown in (*app.markdown, *app.subheader, *app.caption):
        assert "<img" not in shown.value
        assert "**bold**" not in shown.value


def test_every_check_can_be_shown(page, submission: Path) -> None:
    """What is to mend is shown at first; the filter shows the passed checks as well, its title as text."""
    app = page(submission)
    before = len(app.markdown)
    app.segmented_control(key="checks").set_value("all checks").run()
    assert len(app.markdown) == before + 1
    assert any("passed" in shown.value and "\\*\\*bold\\*\\*" in shown.value for shown in app.markdown)


def test_filters_are_in_the_address(monkeypatch: pytest.MonkeyPatch, submission: Path, data: Path) -> None:
    """An address with a filter opens the page filtered, so that a view can be sent to somebody."""
    monkeypatch.delenv(session.DATABASE, raising=False)
    monkeypatch.setenv(session.FOLDER, str(submission))
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.query_params["checks"] = "all checks"
    app.query_params["section"] = "data"
    app.run()
    assert app.segmented_control(key="checks").value == "all checks"
    assert [shown.value for shown in app.subheader][1:] == ["data"]


def test_damaged_file_is_named_and_the_rest_stands(page, tmp_path: Path) -> None:
    """A file that is cut short is named with what to do, and the pages about the others still work."""
    folder = write_submission(tmp_path / "assignment")
    (folder / "results" / "timings.json").write_text("{")
    app = page(folder, "profile")
    assert "timings.json" in said(app)
    assert len(app.get("vega_lite_chart")) == 4
    app = page(folder, "timing")
    assert not app.exception
    assert "lab measure" in said(app)


def test_weights_of_another_network_are_refused(page, tmp_path: Path) -> None:
    """Weights that are no network of the lab's give a sentence, not a traceback."""
    folder = write_submission(tmp_path / "assignment")
    (folder / "results" / "weights.safetensors").write_bytes(b"none")
    app = page(folder, "pictures")
    assert not app.exception
    assert "weights.safetensors is not a whole safetensors file" in said(app)


def test_timing_page_judges_each_setting(page, tmp_path: Path) -> None:
    """Too few samples and a wild variation are UNSTABLE, each with the rule it breaks; steady ones are VALID."""
    folder = tmp_path / "assignment"
    (folder / "results").mkdir(parents=True)
    document = measurements()["timings.json"]
    document["online"][0]["totals_s"] = [1.0, 3.0]
    (folder / "results" / "timings.json").write_text(json.dumps(document))
    app = page(folder, "timing")
    table = app.dataframe[0].value.set_index("setting")
    assert table.loc["10 images, one a call", "verdict"] == "UNSTABLE"
    assert "at least 10 samples: 2" in table.loc["10 images, one a call", "rules broken"]
    assert table.loc["1000 images in batches of 200", "verdict"] == "VALID"


def test_grade_of_a_file_is_shown_instead(page, submission: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--grade FILE` shows that grade; a file that is none is named, and the newest is shown."""
    file = tmp_path / "grade.json"
    file.write_text(grade("2026-02-01T00:00:00+00:00", 3.0).to_json())
    monkeypatch.setenv(session.GRADE, str(file))
    assert page(submission).metric[0].value == "5/5"
    file.write_text("[]")
    app = page(submission)
    assert app.metric[0].value == "3.5/5"
    assert "cannot be shown" in said(app)


def test_gradings_are_kept_by_lab_grade_alone_when_whole_and_public(tmp_path: Path) -> None:
    """The newest hundred gradings are kept, damaged ones are passed over, and a link in the way is refused."""
    from grader import attempts

    folder = tmp_path / "assignment"
    folder.mkdir()
    for number in range(attempts.KEPT + 3):
        attempts.keep(folder, grade(f"2026-01-01T{number // 60:02d}:{number % 60:02d}:00+00:00", 1.0))
    assert len(attempts.kept(folder)) == attempts.KEPT
    newest = sorted(attempts.folder_of(folder).glob("*.json"))[-1]
    newest.write_text("{")
    assert len(attempts.kept(folder)) == attempts.KEPT - 1
    shutil.rmtree(folder / "results")
    (tmp_path / "elsewhere").mkdir()
    (folder / "results").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="over a link"):
        attempts.keep(folder, grade("2026-01-01T00:00:00+00:00", 1.0))
    assert not list((tmp_path / "elsewhere").iterdir())
