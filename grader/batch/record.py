"""Writes a run into the store, check by check. A lost database or a full disk is waited for; then the run stops, and can go on later."""

from __future__ import annotations

import getpass
import platform
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Any, Final, TypeVar

import psutil
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential

from grader.batch.intake import Received
from grader.batch.roster import Person, Roster
from grader.results import CheckResult, GradeResult
from grader.store import schema
from grader.store.database import StoreError
from grader.store.results import Identity, Results, now
from grader.store.standing import choose

PATIENCE_S: Final = 60.0
"""How long a store that does not answer is waited for."""
Value = TypeVar("Value")


class Record:
    """One run's rows in the store. May be used from several threads.

    Args:
        store: An open store.
        patience_s: How long a store that does not answer is waited for.

    Attributes:
        run_id: Of the run, once `start` was called.
    """

    def __init__(self, store: Results, *, patience_s: float = PATIENCE_S) -> None:
        self.store = store
        self.run_id = 0
        self._patience_s = patience_s
        self._machine = this_machine()

    def keep(self, write: Callable[[], Value]) -> Value:
        """Does a transaction, again while the database does not answer.

        Raises:
            StoreError: It did not answer for too long.
            DataError: It answers, and does not take these values.
        """
        try:
            for attempt in Retrying(
                stop=stop_after_delay(self._patience_s),
                wait=wait_exponential(multiplier=0.1, max=5),
                retry=retry_if_exception(_may_pass),
                reraise=True,
            ):
                with attempt:
                    return write()
        except sa.exc.DataError:
            raise
        except (DBAPIError, sqlite3.OperationalError) as error:
            reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
            raise StoreError(f"The store does not take results any more ({reason}); mend that and give the same command again.") from error
        raise AssertionError("unreachable")

    def start(
        self, source: str, identity: Identity, *, rule: str, scheduler: str, forced: bool, remarks: Sequence[str], count: int
    ) -> bool:
        """Begins a run, or goes on with the one that the same command began.

        Returns:
            Whether an earlier one goes on.
        """

        def write() -> bool:
            with self.store.write() as session:
                self.store.note_grader(session, identity)
                query = sa.select(schema.Run).where(
                    schema.Run.source == source,
                    schema.Run.grader_digest == identity.grader_digest,
                    schema.Run.settings_digest == identity.settings_digest,
                    schema.Run.rule == rule,
                    schema.Run.forced == forced,
                    schema.Run.state != "finished",
                )
                run = session.scalars(query.order_by(schema.Run.id.desc())).first()
                again = run is not None
                if run is None:
                    run = schema.Run(
                        source=source,
                        grader_digest=identity.grader_digest,
                        settings_digest=identity.settings_digest,
                        started_by=_user(),
                        started_at=now(),
                        rule=rule,
                        forced=forced,
                    )
                    session.add(run)
                run.state, run.scheduler, run.remarks, run.submissions = "running", scheduler, list(remarks), count
                session.flush()
                self.run_id = run.id
                return again

        return self.keep(write)

    def roster(self, roster: Roster) -> None:
        """Stores the students of the roster; a later roster's values count."""

        def write() -> None:
            with self.store.write() as session:
                for person in roster.people:
                    _student(self.store, session, person, on_roster=True)

        self.keep(write)

    def submission(self, source: str, one: Received, digest: str, *, problem: str = "") -> int:
        """Stores that something was handed in.

        Returns:
            The submission's number.
        """

        def write() -> int:
            with self.store.write() as session:
                label = _text(one.label)
                values = {"source": source, "label": label, "digest": digest}
                self.store.insert_new(session, schema.Submission, **values, attempt=one.attempt, late_days=one.late_days, problem=problem)
                row = session.scalars(sa.select(schema.Submission).filter_by(**values)).one()
                row.submitted_at, row.attempt, row.late_days, row.problem = one.submitted_at, one.attempt, one.late_days, problem
                row.students = [_student(self.store, session, person) for person in one.students]
                return row.id

        return self.keep(write)

    def check(self, key: str, check: CheckResult, identity: Identity, *, reused: bool = False) -> None:
        """Stores a check's result."""
        position = list(identity.checks).index(check.name)
        digest = identity.checks[check.name]
        self.keep(lambda: self.store.save_check(key, check, position=position, digest=digest, reused=reused))

    def finish(self, key: str, result: GradeResult) -> None:
        """Closes a grading."""
        self.keep(lambda: self.store.finish(key, result, self._machine))

    def entry(self, submission_id: int, key: str | None, *, cached: bool) -> None:
        """Notes which grading the run gave a submission."""

        def write() -> None:
            with self.store.write() as session:
                grading = session.scalars(sa.select(schema.Grading.id).where(schema.Grading.key == key)).first() if key else None
                at = {"run_id": self.run_id, "submission_id": submission_id}
                if not self.store.insert_new(session, schema.Entry, **at, grading_id=grading, cached=cached):
                    session.get_one(schema.Entry, (self.run_id, submission_id)).grading_id = grading

        self.keep(write)

    def end(self, *, state: str) -> None:
        """Closes the run, and settles which of several submissions counts."""

        def write() -> None:
            entries = self.store.entries(self.run_id)
            run = self.store.run(self.run_id)
            counting = {entry.submission_id for entry in choose(entries, run.rule).values()}
            with self.store.write() as session:
                for entry in entries:
                    row = session.get_one(schema.Entry, (self.run_id, entry.submission_id))
                    row.counts = entry.submission_id in counting
                ended = session.get_one(schema.Run, self.run_id)
                ended.state, ended.finished_at = state, now()

        self.keep(write)


def this_machine() -> dict[str, Any]:
    """This machine, as the store notes it."""
    from grader.measure.machine import cpu_name

    def version(*names: str) -> str:
        for name in names:
            try:
                return metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
        return ""

    return {
        "cpu": cpu_name(),
        "cores": psutil.cpu_count() or 1,
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "tensorflow": version("tensorflow-cpu", "tensorflow"),
        "keras": version("keras"),
    }


def _student(store: Results, session: Any, person: Person, *, on_roster: bool = False) -> schema.Student:
    names = ("name", "login", "email", "sis_id", "canvas_id", "moodle_id", "github", "section")
    values: Mapping[str, str] = {**{name: _text(getattr(person, name)) for name in names}, "group_name": _text(person.group)}
    key = _text(person.key)
    store.insert_new(session, schema.Student, key=key, **values, on_roster=on_roster)
    row: schema.Student = session.scalars(sa.select(schema.Student).where(schema.Student.key == key)).one()
    if on_roster:
        row.on_roster = True
        for name, value in values.items():
            setattr(row, name, value)
    return row


def _text(text: str) -> str:
    # A file name may hold bytes that are no text, and PostgreSQL takes no zero byte.
    return text.encode("utf-8", "replace").decode().replace("\0", "")[:255]


def _may_pass(error: BaseException) -> bool:
    # What breaks a rule of the store, or fits no column of it, does so the next time too.
    return isinstance(error, DBAPIError) and not isinstance(error, (sa.exc.IntegrityError, sa.exc.DataError))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
