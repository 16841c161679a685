"""The store, the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from grader.results import Cause, CheckResult, Feedback, GradeResult, State
from grader.store import schema
from grader.store.database import StoreError, open_engine
from grader.store.measurements import save_measurements
from grader.store.results import Identity, Results

SOLUTIONS = Path(__file__).parents[2] / "solutions"
IDENTITY = Identity("c" * 64, {"data/one": "1" * 64, "data/two": "2" * 64}, {"secret": "", "keyword": ""}, "0.1.0")
ONE = CheckResult("data/one", "Eins, ünïcödé", State.PASSED, 2, 2, 0.5, command="pytest grader -k one")
TWO = CheckResult(
    "data/two",
    "Two",
    State.FAILED,
    3,
    0.75,
    0.1,
    Cause.CRASH,
    Feedback("wrong", ("a", "b"), "help", "x = 1", "data.py:1", "hi"),
    hidden=True,
)
RESULT = GradeResult("who", "c" * 64, (ONE, TWO), True, "0.1.0", "tier A (all)", "2026-01-01T00:00:00+00:00", 1.5, ("a note",))


@pytest.fixture
def store(store_url: str) -> Iterator[Results]:
    """An open, empty store."""
    with Results.open(store_url) as opened:
        yield opened


def save_all(store: Results, identity: Identity = IDENTITY, result: GradeResult = RESULT) -> str:
    """Saves a whole grading."""
    key = store.begin(identity)
    for position, check in enumerate(result.checks):
        store.save_check(key, check, position=position, digest=identity.checks[check.name])
    store.finish(key, result)
    return key


def test_result_comes_back_whole(store: Results) -> None:
    """What is read from the store is what was saved: every field of every check."""
    key = save_all(store)
    assert store.result(key, name="who") == RESULT
    assert store.is_finished(key)


def test_saved_twice_is_one(store: Results) -> None:
    """The same grading saved again, even with other points, leaves the first one and no second row."""
    key = save_all(store)
    other = dataclasses.replace(RESULT, checks=(dataclasses.replace(ONE, earned=0), TWO))
    assert save_all(store, result=other) == key
    assert store.result(key, name="who") == RESULT
    with store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(schema.Check)) == 2
        assert session.scalar(sa.select(sa.func.count()).select_from(schema.Grading)) == 1


def test_identity_decides(store: Results) -> None:
    """Another content, another check or another setting is another grading; the order of checks is not."""
    others = [
        dataclasses.replace(IDENTITY, digest="d" * 64),
        dataclasses.replace(IDENTITY, checks={**IDENTITY.checks, "data/two": "3" * 64}),
        dataclasses.replace(IDENTITY, settings={"secret": "x", "keyword": ""}),
    ]
    assert len({IDENTITY.key, *(other.key for other in others)}) == 4
    assert dataclasses.replace(IDENTITY, checks=dict(reversed(IDENTITY.checks.items()))).key == IDENTITY.key


def test_changed_check_alone_is_unknown(store: Results) -> None:
    """After one check changed, the result of the other is still known; for other settings or content none is."""
    save_all(store)
    assert store.known_checks(IDENTITY) == {"data/one": ONE, "data/two": TWO}
    changed = dataclasses.replace(IDENTITY, checks={**IDENTITY.checks, "data/two": "3" * 64})
    assert store.known_checks(changed) == {"data/one": ONE}
    assert store.known_checks(dataclasses.replace(IDENTITY, settings={"secret": "x"})) == {}
    assert store.known_checks(dataclasses.replace(IDENTITY, digest="d" * 64)) == {}


def test_undecided_is_tried_again(store: Results) -> None:
    """A fault of the grader is no result: the grading stays open, and a later result takes its place."""
    fault = CheckResult("data/two", "Two", State.UNDECIDED, 3, 0, cause=Cause.GRADER_FAULT)
    key = save_all(store, result=dataclasses.replace(RESULT, checks=(ONE, fault)))
    assert not store.is_finished(key)
    assert set(store.known_checks(IDENTITY)) == {"data/one"}
    save_all(store)
    assert store.is_finished(key)
    assert store.result(key, name="who").checks == RESULT.checks


def test_forced_grading_starts_anew(store: Results) -> None:
    """A grading that is reopened has no checks, and takes other results."""
    key = save_all(store)
    store.reopen(key)
    assert not store.is_finished(key)
    assert store.known_checks(IDENTITY) == {}


def test_tables_are_those_of_the_migrations(store_url: str) -> None:
    """The migrations make exactly the tables of the models, on both databases; opening twice changes nothing."""
    open_engine(store_url).dispose()
    engine = open_engine(store_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.Base.metadata) == []
    engine.dispose()


WRITER = """
import sys
from grader.store.results import Results, Identity
from grader.results import CheckResult, State
new = 0
with Results.open(sys.argv[1]) as store:
    for content in range(10):
        identity = Identity(f"{content:064d}", {f"data/{n}": f"{n:064d}" for n in range(8)}, {})
        key = store.begin(identity)
        for n in range(8):
            new += store.save_check(key, CheckResult(f"data/{n}", "T", State.PASSED, 1, 1), position=n, digest=f"{n:064d}")
print(new)
"""


def test_two_at_once(store_url: str) -> None:
    """Two processes open a new store and save the same gradings at the same time: each check is stored by exactly one of them."""
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, store_url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ends = [writer.communicate(timeout=120) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], ends
    assert sum(int(out) for out, _ in ends) == 80
    with Results.open(store_url) as store, store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(schema.Check)) == 80
        assert session.scalar(sa.select(sa.func.count()).select_from(schema.Grading)) == 10


def test_measurements(store: Results) -> None:
    """The reference's raw timings, kernels, curves and machine are stored, once."""
    for _ in range(2):
        save_measurements(store, "e" * 64, SOLUTIONS)
    with store.read() as session:
        content = session.get_one(schema.Content, "e" * 64)
        assert content.machine is not None
        assert content.machine.role == "student"
        for table in (schema.Sample, schema.Kernel, schema.Epoch):
            rows = session.scalars(sa.select(table)).all()
            assert rows
            assert {row.digest for row in rows} == {"e" * 64}
        modes = session.scalars(sa.select(schema.Sample.mode).distinct()).all()
        assert sorted(modes) == ["batches", "online"]


def test_adjustment_needs_reason_and_submission(store: Results) -> None:
    """Points are changed by hand only for a submission that is there, with a reason and a name; changes add up in order."""
    with store.write() as session:
        session.add(schema.Submission(source="class", label="a"))
    store.adjust(1, 2.5, reason="late bus", who="ada", check_name="data/one")
    store.adjust(1, -1, reason="sorry", who="ada")
    assert [(row.points, row.reason) for row in store.adjustments([1])[1]] == [(2.5, "late bus"), (-1, "sorry")]
    with pytest.raises(StoreError, match="needs a reason"):
        store.adjust(1, 1, reason=" ", who="ada")
    with pytest.raises(StoreError, match="no submission 7"):
        store.adjust(7, 1, reason="x", who="ada")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://x/y", "SQLite or PostgreSQL"),
        ("/dev/null/x/grades.db", "cannot be opened"),
        ("postgresql://nobody@/x?host=/nowhere", "start its server"),
    ],
)
def test_store_that_cannot_be_opened(url: str, words: str) -> None:
    """One sentence says what is wrong with a store's name."""
    with pytest.raises(StoreError, match=words):
        Results.open(url)


def test_store_of_a_newer_version(tmp_path: Path) -> None:
    """A store whose tables this version does not know is refused."""
    file = str(tmp_path / "grades.db")
    engine = open_engine(file)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match="another version"):
        open_engine(file)
