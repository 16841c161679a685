"""An instructor's pages: what they write into the database, what they export, and whose code they show."""

from __future__ import annotations

import csv
import io
import sqlite3
import time
import zipfile
from pathlib import Path

import pytest
from filled import fill
from samples import EVIL
from sqlalchemy import insert, update
from streamlit import config
from streamlit.testing.v1 import AppTest

from dashboard import exports, launch, session
from dashboard.access import Refused, Role, Viewer
from dashboard.alike import alike
from dashboard.handed_in import HandedIn
from dashboard.reports import asking
from dashboard.session import LIVE_S
from dashboard.whole_class import WholeClass
from grader.errors import LabError, SubmissionError
from grader.export.grades import Policy
from grader.host.intake import take
from grader.lab import MODULE_FILES
from grader.store import schema
from grader.store.results import Results

SOLUTIONS = Path(__file__).parents[2] / "solutions"
APP = Path(session.__file__).with_name("app.py")
PROF = Viewer(Role.INSTRUCTOR, "prof")

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def database(tmp_path: Path) -> str:
    """A small class with two runs."""
    url = str(tmp_path / "class.db")
    fill(url, students=14, runs=2, released=1).dispose()
    return url


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch):
    """Opens a page of a class."""

    def open_page(url: str, name: str = "overview", **parameters: str) -> AppTest:
        monkeypatch.setenv(session.DATABASE, url)
        # A server reads this from the file beside app.py; AppTest starts none.
        config.set_option("server.address", "127.0.0.1")
        app = AppTest.from_file(str(APP), default_timeout=120)
        for key, value in parameters.items():
            app.query_params[key] = value
        app.run()
        return app if name == "overview" else app.switch_page(f"app_pages/{name}.py").run()

    return open_page


def test_overview_is_of_the_chosen_run(page, database: str) -> None:
    """The newest run is shown at first, and the address chooses another."""
    assert page(database).selectbox(key="run").value == 2
    app = page(database, run="1")
    assert app.selectbox(key="run").value == 1
    metrics = {metric.label: metric.value for metric in app.metric}
    assert (metrics["Submissions that count"], metrics["Graded"], metrics["Missing"], metrics["Late"]) == ("13", "13", "1", "1")


@pytest.mark.parametrize(
    "name", ["overview", "items", "submissions", "measurements", "flags", "compare", "progress", "grades", "leaderboard"]
)
@pytest.mark.parametrize("students", [0, 1])
def test_page_of_an_empty_class_and_of_one_student(page, tmp_path: Path, name: str, students: int) -> None:
    """Without a run each page says what to do; with one student none fails."""
    url = str(tmp_path / "class.db")
    fill(url, students=students, runs=students, released=0).dispose()
    app = page(url, name)
    assert not app.exception
    assert not app.error
    assert app.title[0].value != "Deep-learning lab"
    if not students:
        assert app.info


def test_pages_while_the_database_is_written(page, tmp_path: Path) -> None:
    """An open transaction of a batch holds no page up, and nothing of it shows before it is committed."""
    url = str(tmp_path / "class.db")
    engine = fill(url, students=14, runs=1, released=0, running=True)
    with engine.begin() as writer:
        writer.execute(update(schema.Grading).where(schema.Grading.id > 1).values(finished_at=None))
        writer.execute(insert(schema.Entry).values(run_id=1, submission_id=13, grading_id=None, cached=False, counts=True))
        for name in ("overview", "submissions", "progress"):
            app = page(url, name)
            assert not app.exception
            assert not app.error
        assert next(metric.value for metric in app.metric if metric.label == "Done") == "6"
    engine.dispose()
    time.sleep(LIVE_S)
    app.run()
    done = {metric.label: metric.value for metric in app.metric}
    assert (done["Done"], done["Cannot be taken"]) == ("2", "1")
    assert "Time left, about" not in done  # it has stood still for days, and a warning says so
    assert "five minutes" in app.warning[0].value


def test_items_of_one_section(page, database: str) -> None:
    """A section's choice leaves its checks alone in the table and in the choice of messages."""
    app = page(database, "items")
    assert len({name.partition("/")[0] for name in app.dataframe[-1].value["check"]}) == 5
    app.selectbox(key="section").set_value("timing").run()
    assert not app.exception
    checks = app.dataframe[-1].value["check"]
    assert {name.partition("/")[0] for name in checks} == {"timing"}
    assert app.selectbox(key="check").options == list(checks)
    app.selectbox(key="check").set_value(checks.iloc[-1]).run()
    assert not app.exception


def test_lost_database_is_said_in_a_part_drawn_alone(page, database: str) -> None:
    """Progress, drawn again while the database is away, says so instead of falling."""
    app = page(database, "progress")
    with sqlite3.connect(database) as connection:
        connection.execute("ALTER TABLE runs RENAME TO away")
    time.sleep(LIVE_S)
    app.run()
    assert not app.exception
    assert "cannot be read just now" in " ".join(text.value for text in app.text)


def test_adjusting_writes_a_row_and_shows_it(page, database: str) -> None:
    """The form adds the points with the reason; without a reason it says so and writes nothing."""
    app = page(database, "grades")
    next(box for box in app.selectbox if box.label == "Submission").set_value(2)
    app.number_input[0].set_value(1.5)
    app.button[0].click()
    app.run()
    assert "needs a reason" in " ".join(text.value for text in app.text)
    klass = WholeClass(asking(database), PROF)
    assert klass.adjustments(2).empty
    next(box for box in app.selectbox if box.label == "Submission").set_value(2)
    app.number_input[0].set_value(1.5)
    app.text_input[0].set_value("The rubric was unclear.")
    app.button[0].click()
    app.run()
    assert not app.exception
    assert klass.adjustments(2)[["points", "reason"]].values.tolist() == [[1.5, "The rubric was unclear."]]
    assert "+1.5 points" in app.success[0].value


def test_release_needs_a_tick(page, database: str) -> None:
    """Nothing is given back by one click alone."""
    klass = WholeClass(asking(database), PROF)
    app = page(database, "grades")
    app.button[1].click()
    app.run()
    assert klass.releases(2).empty
    app.checkbox[0].check()
    app.button[1].click()
    app.run()
    assert len(klass.releases(2)) == 1


@pytest.mark.parametrize("form", exports.FORMS.values())
def test_every_export_is_a_whole_file(database: str, form: str, tmp_path: Path) -> None:
    """Each button gives a file that names every graded student; Moodle asks for its worksheet; a student gets none."""
    with Results.open(database) as store:
        with pytest.raises(Refused):
            exports.prepare(store, Viewer(Role.STUDENT, "x", 2), 1, form, policy=Policy())
        sheet = None
        if form == "moodle":
            with pytest.raises(LabError, match="worksheet"):
                exports.prepare(store, PROF, 1, form, policy=Policy())
            sheet = b"Identifier,Full name,Email address,Grade,Last modified (grade)\nParticipant 1,Ada Lovelace,student12@uni.example,,\n"
        made = exports.prepare(store, PROF, 1, form, policy=Policy(), sheet=sheet)
    if made.mime == "application/zip":
        assert len(zipfile.ZipFile(io.BytesIO(made.data)).namelist()) >= 13
    else:
        rows = list(csv.reader(io.StringIO(made.data.decode("utf-8-sig"))))
        assert len(rows) >= (2 if form == "moodle" else 14)


def test_code_is_what_was_graded(tmp_path: Path) -> None:
    """The files come out of the download by the submission's label, only to instructors, and only if they are what was graded."""
    download = tmp_path / "download"
    for name in ("ada", "grace"):
        (download / name).mkdir(parents=True)
        for module in MODULE_FILES:
            (download / name / module).write_text(f"# {name} {EVIL}\n")
    with take(download / "ada") as taken:
        digest = taken.digest
    shown = HandedIn(download, "ada", digest, PROF)
    assert (shown.folder / "data.py").read_text() == f"# ada {EVIL}\n"
    with pytest.raises(Refused):
        HandedIn(download, "ada", digest, Viewer(Role.STUDENT, "x", 2))
    with pytest.raises(SubmissionError, match="holds no submission"):
        HandedIn(download, "../ada", digest, PROF)
    (download / "ada" / "data.py").write_text("# another\n")
    with pytest.raises(SubmissionError, match="has changed"):
        HandedIn(download, "ada", digest, PROF)


def test_code_that_is_alike_is_shown(page, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the download at hand, a switch compares the code: a copy with other names is found, what cannot be read is said."""
    reference = (SOLUTIONS / "training.py").read_text(encoding="utf-8")
    with sqlite3.connect(database) as connection:
        labels = [label for (label,) in connection.execute("SELECT label FROM submissions ORDER BY id LIMIT 3")]
    for label, text in zip(labels, (reference, reference.replace("val_losses", "losses"), ""), strict=True):
        with zipfile.ZipFile(tmp_path / label, "w") as archive:
            if text:
                archive.writestr("assignment/training.py", text)
    download = tmp_path / "download"
    download.mkdir()
    for label in labels:
        (tmp_path / label).rename(download / label)
    monkeypatch.setenv(session.SUBMISSIONS, str(download))
    app = page(database, "flags", alike="true")
    assert not app.exception
    pairs = next(frame.value for frame in app.dataframe if "share" in frame.value)
    assert pairs["modules"].tolist() == ["training.py 100%"]
    assert any(labels[2] in text.value for text in app.text)
    with pytest.raises(Refused):
        alike(download, pairs, Viewer(Role.STUDENT, "x", 2))


def test_database_that_is_not_there_is_said_and_not_made(tmp_path: Path) -> None:
    """A mistyped name gives a sentence; no empty database comes of it."""
    with pytest.raises(LabError, match="There is no database"):
        launch.require_database(str(tmp_path / "typo.db"))
    assert not list(tmp_path.iterdir())


def test_password_of_a_database_is_not_on_the_command_line(tmp_path: Path) -> None:
    """The URL goes to the server in its environment; the command, which everybody on the machine can read, binds to loopback only."""
    url = "postgresql://lab:secret@localhost/grades"
    told = launch.environment(tmp_path, tmp_path, None, url)
    assert "secret" in told[session.DATABASE]
    command = launch.command(port=0, open_browser=False)
    assert not any("secret" in part for part in command)
    assert "--server.address=127.0.0.1" in command
