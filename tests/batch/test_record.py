"""What a lost connection and a full disk do to a run's record, and which checks a change touches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from databases import new_database

from grader.batch import digests
from grader.batch.record import Record
from grader.batch.roster import Person, Roster
from grader.results import CheckResult, State
from grader.store.database import StoreError
from grader.store.results import Identity, Results
from grader.store.schema import Student

IDENTITY = Identity("c" * 64, {"data/one": "1" * 64}, {})
CHECK = CheckResult("data/one", "One", State.PASSED, 2, 2, command="x" * 50_000)


def test_lost_connection_is_made_again(postgres: str) -> None:
    """All connections to PostgreSQL are cut in the middle of a run; the next check is stored all the same."""
    url = new_database(postgres)
    with Results.open(url) as store, Results.open(url) as other:
        record = Record(store, patience_s=20)
        key = store.begin(IDENTITY)
        with other.engine.connect() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        record.check(key, CHECK, IDENTITY)
        assert set(store.known_checks(IDENTITY)) == {"data/one"}


def test_values_that_no_store_takes_are_not_tried_again(postgres: str) -> None:
    """A zero byte fits no column the next time either: that is told at once, and nobody waits a minute for a store that answers."""
    with Results.open(new_database(postgres)) as store:
        tries = []

        def write() -> None:
            tries.append(1)
            with store.write() as session:
                session.execute(sa.select(Student).where(Student.name == "x\0y"))

        with pytest.raises(sa.exc.DataError, match="NUL"):
            Record(store, patience_s=60).keep(write)
        assert len(tries) == 1


def test_full_disk_stops_and_goes_on(tmp_path: Path) -> None:
    """A store that cannot grow says so in one sentence; nothing stored before is lost, and with room the same is stored."""
    with Results.open(str(tmp_path / "g.db")) as store:
        key = store.begin(IDENTITY)

        def limit(connection: sa.Connection) -> None:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

        sa.event.listen(store.engine, "begin", limit)
        with pytest.raises(StoreError, match=r"disk is full.*same command again"):
            Record(store, patience_s=0.3).check(key, CHECK, IDENTITY)
        sa.event.remove(store.engine, "begin", limit)
        store.engine.dispose()
        assert store.known_checks(IDENTITY) == {}
        Record(store).check(key, CHECK, IDENTITY)
        assert store.known_checks(IDENTITY) == {"data/one": CHECK}


def test_roster_is_kept_up_to_date(store_url: str) -> None:
    """A later roster's values count, and nobody is there twice; names that are no text are stored as far as they are."""
    with Results.open(store_url) as store:
        record = Record(store)
        record.roster(Roster([Person("Ada \udcff\0", sis_id="001", section="A")]))
        record.roster(Roster([Person("Ada L", sis_id="001", section="B")]))
        with store.read() as session:
            (student,) = session.scalars(sa.select(Student)).all()
        assert (student.name, student.section, student.sis_id) == ("Ada L", "B", "001")


@pytest.fixture
def edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package with one helper of the timing checks changed, and comments elsewhere."""
    original = digests._module
    changed = {}
    for name, before, after in (
        ("grader.rubric.timed_region", "def right_loop(", "def right_loop_before(): ...\n\n\ndef right_loop("),
        ("grader.rubric.test_data", "from __future__", "# a comment\nfrom __future__"),
    ):
        file = digests.PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py")
        text = file.read_text(encoding="utf-8")
        assert before in text
        text = text.replace(before, after, 1)
        if name.endswith("timed_region"):
            at = text.index('"""', text.index("def right_loop("))
            text = text[: at + 3] + "Changed. " + text[at + 3 :]
        copy = tmp_path / file.name
        copy.write_text(text, encoding="utf-8")
        changed[name] = digests._Module(copy)
    digests._step.cache_clear()
    monkeypatch.setattr(digests, "_module", lambda name: changed.get(name) or original(name))
    yield
    digests._step.cache_clear()


def test_change_touches_what_reaches_it(request: pytest.FixtureRequest) -> None:
    """After a helper changed, the checks that reach it have other digests, and their dependants; all others keep theirs."""
    before = digests.check_digests()
    assert digests.check_digests() == before
    assert set(digests.check_digests("wilson")) == {"data/wilson"}
    request.getfixturevalue("edited")
    after = digests.check_digests()
    assert list(after) == list(before)
    touched = {name for name in before if before[name] != after[name]}
    assert {"timing/online_loop", "timing/batch_loop"} <= touched
    assert {name.partition("/")[0] for name in touched} == {"timing"}
