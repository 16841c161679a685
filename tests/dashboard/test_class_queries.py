"""A class's database on SQLite and on PostgreSQL: the figures are right, and nobody is given what is not theirs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa
from filled import fill

from dashboard import changes
from dashboard.access import Refused, Role, Viewer, identify, refuse_open_door
from dashboard.charts.classroom import item_table
from dashboard.queries import FEWEST_PEERS, Classroom
from dashboard.reports import asking
from dashboard.statistics import correlation, wilson
from dashboard.whole_class import WholeClass
from grader.errors import ResultsError
from grader.results import State
from grader.store import schema
from grader.store.database import StoreError
from grader.store.results import Results

PROF = Viewer(Role.INSTRUCTOR, "prof@uni.example")
STUDENTS = 48


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A class of 48 with three runs, the first two given back; once on each database."""
    if request.param == "sqlite":
        made = str(tmp_path_factory.mktemp("class") / "class.db")
    else:
        from databases import new_database

        made = new_database(request.getfixturevalue("postgres"))
    fill(made, students=STUDENTS, runs=3, released=2).dispose()
    return made


@pytest.fixture(scope="module")
def klass(url: str) -> WholeClass:
    """The class as an instructor sees it."""
    return WholeClass(asking(url), PROF)


def student(number: int) -> Viewer:
    """One of the class."""
    return Viewer(Role.STUDENT, f"student{number}@uni.example", number)


def test_overview_counts_every_student_once(klass: WholeClass) -> None:
    """Submissions, those that cannot be taken, late and missing students add up to the roster."""
    results, missing = klass.results(1), klass.missing(1)
    assert len(results) + len(missing) == STUDENTS
    assert results["submission_id"].is_unique
    assert set(missing["login"]) == {f"student{number}" for number in range(12, STUDENTS + 1, 12)}
    assert set(results[results["problem"] != ""]["login"]) == {"student23", "student47"}
    assert not results[results["problem"] != ""]["graded"].any()
    assert set(results[results["late_days"] > 0]["login"]) == {"student10", "student20", "student30", "student40"}


def test_items_agree_with_the_checks_themselves(klass: WholeClass) -> None:
    """Difficulty, interval and discrimination from the database's sums are those that pandas finds in the single grades."""
    table = item_table(klass.items(1)).set_index("check")
    room = Classroom(asking_of(klass), PROF)
    rows = []
    for submission in klass.results(1).query("graded")["submission_id"]:
        grade = room.subject(1, int(submission)).grade
        assert grade is not None
        rows += [
            {"check": c.name, "passed": c.state is State.PASSED, "share": c.earned / c.points, "rest": grade.score - c.earned}
            for c in grade.checks
        ]
    single = pd.DataFrame(rows)
    for name, group in single.groupby("check"):
        assert table.loc[name, "passed"] == pytest.approx(group["passed"].mean())
        assert (table.loc[name, "low"], table.loc[name, "high"]) == pytest.approx(wilson(group["passed"].sum(), len(group)))
        assert table.loc[name, "discrimination"] == pytest.approx(group["share"].corr(group["rest"]), abs=1e-6)


def asking_of(klass: WholeClass):
    """The query function of a class."""
    return klass._query


def test_discrimination_is_not_told_of_few() -> None:
    """Under 20 students, and where everybody did the same, there is no discrimination."""
    assert correlation(19, 10, 900, 10, 50_000, 500) is None
    assert correlation(30, 30, 1500, 30, 90_000, 1500) is None


def test_messages_are_counted(klass: WholeClass) -> None:
    """The most frequent messages of a check add up to the submissions that failed it."""
    items = klass.items(1).set_index("name")
    failures = klass.failures(1, "data/check_00")
    assert failures["students"].sum() == items.loc["data/check_00", "students"] - items.loc["data/check_00", "passed"]
    assert failures["students"].is_monotonic_decreasing


def test_every_class_query_runs(klass: WholeClass) -> None:
    """Each of an instructor's queries gives rows on both databases."""
    assert len(klass.runs()) == 3
    assert klass.runs()["released"].tolist() == [0, 1, 1]
    assert len(klass.sample_totals(1)) == 7 * klass.sample_totals(1)["submission_id"].nunique()
    assert klass.sample_totals(1)["variation"].between(0, 1).all()
    assert klass.curves(1)["epoch"].min() == 1
    assert set(klass.look_into(1)["cause"]) == {"crash"}
    assert klass.same_content(1)["submissions"].tolist() == [3]
    assert len(klass.compare(1, 2)) == len(klass.results(1))
    assert (klass.changed_checks(1, 2)[["better", "worse"]].sum() > 0).all()
    row = klass.progress(1).iloc[0]
    assert (row["state"], int(row["graded"]), int(row["failed"])) == ("finished", 42, 2)


def test_student_sees_own_released_submission_only(url: str) -> None:
    """A student gets their own newest released grade, and the same refusal for another's and for one that does not exist."""
    ask = asking(url)
    own = Classroom(ask, student(2)).own_subject()
    assert own.grade is not None
    assert own.name == Classroom(ask, PROF).subject(2, 2).name
    for run, submission in ((2, 3), (3, 2), (2, 9999)):
        with pytest.raises(Refused, match="no such submission for you"):
            Classroom(ask, student(2)).subject(run, submission)
    assert Classroom(ask, PROF).subject(3, 2).grade is not None
    assert list(own.attempts["submission_id"]) == [2]


def test_student_sees_no_hidden_example(url: str) -> None:
    """Feedback from the course's secret reaches the instructor whole, and the student without its values."""
    ask = asking(url)
    whole = Classroom(ask, PROF).subject(2, 2).grade
    own = Classroom(ask, student(2)).own_subject().grade
    assert whole is not None
    assert own is not None
    hidden = [(a, b) for a, b in zip(whole.checks, own.checks, strict=True) if a.hidden and a.feedback]
    assert hidden
    for instructors, students in hidden:
        assert "expected 10" in instructors.feedback.comparison
        assert students.feedback is not None
        assert "expected 10" not in str(students.feedback)


def test_student_cannot_ask_of_the_class(url: str) -> None:
    """What is an instructor's cannot even be asked by a student, and a viewer without a row gets nothing of a student's."""
    with pytest.raises(Refused, match="for instructors"):
        WholeClass(asking(url), student(2))
    with pytest.raises(Refused):
        Classroom(asking(url), Viewer(Role.STUDENT, "nobody")).own_subject()
    with pytest.raises(Refused):
        Classroom(asking(url), Viewer(Role.STUDENT, "nobody")).peers()
    with pytest.raises(Refused):
        Classroom(asking(url), Viewer(Role.STUDENT, "nobody")).subject(2, 2)


def test_peers_have_no_names_and_are_of_one_machine(url: str) -> None:
    """Others' figures come as bare numbers, only of the same kind of machine, and never fewer than five."""
    own, others = Classroom(asking(url), student(2)).peers()
    assert list(own.columns) == list(others.columns) == ["measure", "value"]
    assert len(own) == 3
    assert others.groupby("measure").size().min() >= FEWEST_PEERS
    mine, few = Classroom(asking(url), student(3)).peers()
    assert len(mine) == 3
    # Every fourth student has the other machine; the two groups share nobody.
    latency = "latency of one image, ms"
    assert set(few[few["measure"] == latency]["value"]).isdisjoint(others[others["measure"] == latency]["value"])


def test_leaderboard_is_by_choice(tmp_path: Path) -> None:
    """Only who chose a nickname is on it, a name is taken once, and leaving takes one off; instructors cannot enter anybody."""
    url = str(tmp_path / "class.db")
    fill(url, students=12, runs=1, released=1).dispose()
    room = Classroom(asking(url), student(2))
    assert room.nickname() == ""
    before = set(room.leaderboard()["nickname"])
    with Results.open(url) as store:
        changes.choose_nickname(store, student(2), "  Gradient\nghost ")
        with pytest.raises(ResultsError, match="taken"):
            changes.choose_nickname(store, student(3), "gradient GHOST")
        with pytest.raises(ResultsError, match="at most"):
            changes.choose_nickname(store, student(3), "x" * 33)
        with pytest.raises(Refused):
            changes.choose_nickname(store, PROF, "boss")
        assert set(room.leaderboard()["nickname"]) == before | {"Gradient ghost"}
        assert "name" not in room.leaderboard().columns
        changes.choose_nickname(store, student(2), "")
    assert set(room.leaderboard()["nickname"]) == before


def test_adjustment_is_kept_with_who_when_and_why(tmp_path: Path) -> None:
    """Points change by what was added, the student reads the reason, and a student cannot adjust or release."""
    url = str(tmp_path / "class.db")
    fill(url, students=4, runs=2, released=1).dispose()
    klass = WholeClass(asking(url), PROF)
    before = klass.results(1).set_index("submission_id")["score"]
    with Results.open(url) as store:
        changes.adjust(store, PROF, 2, "data/check_00", 2.5, " The rubric was unclear. ")
        for wrong in ((2, "", 1.0, "  "), (2, "", 0.0, "why"), (2, "", 1e9, "why"), (2, "", 1.0, "x" * 5000)):
            with pytest.raises(ResultsError):
                changes.adjust(store, PROF, *wrong)
        with pytest.raises(StoreError, match="no submission 99"):
            changes.adjust(store, PROF, 99, "", 1.0, "why")
        with pytest.raises(Refused):
            changes.adjust(store, student(2), 2, "", 50.0, "because")
        with pytest.raises(Refused):
            changes.release(store, student(2), 2, "")
        with store.read() as session:
            assert session.scalars(sa.select(schema.Adjustment)).one().made_at.tzinfo is not None
    after = klass.results(1).set_index("submission_id")["score"]
    assert (after - before).to_dict() == {1: 0.0, 2: 2.5, 3: 0.0, 4: 0.0}
    assert klass.adjustments(1).iloc[0][["made_by", "reason"]].tolist() == [PROF.name, "The rubric was unclear."]
    told = Classroom(asking(url), student(2)).own_subject().adjustments
    assert told["reason"].tolist() == ["The rubric was unclear."]
    assert Classroom(asking(url), student(3)).own_subject().adjustments.empty


def test_release_makes_a_run_visible(tmp_path: Path) -> None:
    """Before the release a student sees nothing of a run, after it their grade; a running one cannot be released."""
    url = str(tmp_path / "class.db")
    fill(url, students=6, runs=2, released=0, running=True).dispose()
    assert Classroom(asking(url), student(2)).own_subject().grade is None
    with Results.open(url) as store:
        with pytest.raises(ResultsError, match="Only a finished run"):
            changes.release(store, PROF, 2, "")
        with pytest.raises(StoreError):
            changes.release(store, PROF, 99, "")
        changes.release(store, PROF, 1, "for the record")
    assert Classroom(asking(url), student(2)).own_subject().grade is not None
    assert WholeClass(asking(url), PROF).releases(1)["note"].tolist() == ["for the record"]


def test_identity_decides_the_role(url: str) -> None:
    """A verified address of the course's list is an instructor's, one of the roster a student's, and all others see nothing."""
    ask = asking(url)
    teachers = ["Prof@Uni.Example"]
    assert identify({"email": "prof@uni.example", "email_verified": True}, teachers, ask).instructor
    known = identify({"email": "STUDENT5@uni.example", "email_verified": True}, teachers, ask)
    assert (known.role, known.student_id) == (Role.STUDENT, 5)
    for claims in (
        {},
        {"email": "prof@uni.example"},
        {"email": "prof@uni.example", "email_verified": False},
        {"email": "", "email_verified": True},
        {"email": "stranger@uni.example", "email_verified": True},
        {"email": "' OR '1'='1", "email_verified": True},
        {"email": "%", "email_verified": True},
    ):
        with pytest.raises(Refused):
            identify(claims, teachers, ask)


@pytest.mark.parametrize("address", ["0.0.0.0", "", "10.0.0.5", "::"])
def test_class_is_not_shown_to_a_network_without_a_login(address: str) -> None:
    """Whoever lets the server listen on more than loopback must configure a login first."""
    with pytest.raises(Refused, match="has no login"):
        refuse_open_door(address, login=False, class_open=True)
    refuse_open_door(address, login=True, class_open=True)
    refuse_open_door("127.0.0.1", login=False, class_open=True)
