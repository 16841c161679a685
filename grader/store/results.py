"""The store's one way in and out: open it, save a check as it falls, finish a grading, ask.

    with Results.open("grades.db") as store:
        key = store.begin(identity)
        store.save_check(key, check, position=0, digest=...)
        store.finish(key, result)

Saving the same thing twice, from one process or from two, leaves one row.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session, selectinload

from grader.results import Cause, CheckResult, Feedback, GradeResult, State
from grader.store import schema
from grader.store.database import StoreError, open_engine


@dataclass(frozen=True, slots=True)
class Identity:
    """What a grade follows from. Equal identities have equal grades, so a grading is stored once.

    Attributes:
        digest: Of the content.
        checks: From each selected check's name to its digest: the grader.
        settings: What else matters, as plain data (the secret's fingerprint, the sandbox's kind).
        grader_version: For people; the digests decide.
    """

    digest: str
    checks: Mapping[str, str]
    settings: Mapping[str, Any]
    grader_version: str = ""

    @property
    def grader_digest(self) -> str:
        """Over all checks, by name and digest."""
        return digest_of(dict(self.checks))

    @property
    def settings_digest(self) -> str:
        """Over the settings."""
        return digest_of(dict(self.settings))

    @property
    def key(self) -> str:
        """The grading's unique key."""
        return digest_of([self.digest, self.grader_digest, self.settings_digest])


def digest_of(value: Any) -> str:
    """SHA-256 over plain data, whatever the order of its mappings."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()).hexdigest()


class Results:
    """An open store. Each method is one transaction.

    Args:
        engine: From `open_engine`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert

    @classmethod
    def open(cls, url: str) -> Self:
        """Opens a store.

        Args:
            url: A file's name for SQLite, or a `postgresql://` URL.

        Raises:
            StoreError: It cannot be opened.
        """
        return cls(open_engine(url))

    def close(self) -> None:
        """Closes the connections."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that may write."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads; on SQLite it neither waits for a writer nor stops one."""
        with self.engine.connect().execution_options(lab_read_only=True) as connection, Session(connection) as session:
            yield session

    def insert_new(self, session: Session, table: type[schema.Base], **values: Any) -> bool:
        """Inserts a row unless one with the same key is there.

        Returns:
            Whether it was inserted.
        """
        done = session.execute(self._insert(table).values(**values).on_conflict_do_nothing().returning(sa.literal(1)))
        return done.first() is not None

    def begin(self, identity: Identity) -> str:
        """Notes that a grading begins; one that began before goes on.

        Args:
            identity: What it follows from.

        Returns:
            The grading's key.
        """
        with self.write() as session:
            self.insert_new(session, schema.Content, digest=identity.digest)
            self.note_grader(session, identity)
            self.insert_new(
                session,
                schema.Grading,
                key=identity.key,
                digest=identity.digest,
                grader_digest=identity.grader_digest,
                settings_digest=identity.settings_digest,
                grader_version=identity.grader_version,
                started_at=now(),
            )
        return identity.key

    def note_grader(self, session: Session, identity: Identity) -> None:
        """Stores the grader and the settings of an identity."""
        grader = {"digest": identity.grader_digest, "version": identity.grader_version, "checks": dict(identity.checks)}
        self.insert_new(session, schema.Grader, **grader)
        self.insert_new(session, schema.Settings, digest=identity.settings_digest, document=dict(identity.settings))

    def save_check(self, key: str, check: CheckResult, *, position: int, digest: str, reused: bool = False) -> bool:
        """Stores a check's result as it falls.

        A check in which the grader itself failed is replaced by a later result; any other stays as it was saved first.

        Args:
            key: The grading's key.
            check: The result.
            position: Its place in the rubric.
            digest: Of what the check follows from on the grader's side.
            reused: Whether it comes from an earlier grading.

        Returns:
            Whether it was new.

        Raises:
            StoreError: There is no such grading.
        """
        with self.write() as session:
            grading = self._grading(session, key)
            session.execute(
                sa.delete(schema.Check).where(
                    schema.Check.grading_id == grading.id, schema.Check.name == check.name, schema.Check.state == State.UNDECIDED.value
                )
            )
            return self.insert_new(
                session,
                schema.Check,
                grading_id=grading.id,
                position=position,
                name=check.name,
                section=check.section,
                title=check.title,
                state=check.state.value,
                cause=check.cause.value if check.cause else "",
                points=check.points,
                earned=check.earned,
                duration_s=check.duration_s,
                feedback=dataclasses.asdict(check.feedback) if check.feedback else None,
                command=check.command,
                hidden=check.hidden,
                digest=digest,
                reused=reused,
            )

    def finish(self, key: str, result: GradeResult, machine: Mapping[str, Any] | None = None) -> None:
        """Closes a grading whose checks are stored. One that is closed already stays as it is.

        Args:
            key: The grading's key.
            result: The whole result; its checks must have been saved.
            machine: Fields of `schema.Machine` of the machine that graded.

        Raises:
            StoreError: There is no such grading.
        """
        with self.write() as session:
            grading = self._grading(session, key)
            if grading.finished_at is not None:
                return
            if machine is not None:
                grading.machine_id = self.note_machine(session, "grader", machine)
            grading.isolation, grading.official = result.isolation, result.official
            grading.grader_version, grading.notes = result.grader_version, list(result.notes)
            grading.duration_s, grading.score = result.duration_s, result.score
            grading.points, grading.undecided = result.points, result.undecided
            grading.started_at = datetime.fromisoformat(result.started_at)
            # A grading in which the grader itself failed is not over: the next run tries those checks again.
            grading.finished_at = now() if not result.undecided else None

    def reopen(self, key: str) -> None:
        """Forgets the checks of a grading, for one that is to run anew (`--force`)."""
        with self.write() as session:
            grading = self._grading(session, key)
            session.execute(sa.delete(schema.Check).where(schema.Check.grading_id == grading.id))
            grading.finished_at = None

    def note_machine(self, session: Session, role: str, machine: Mapping[str, Any]) -> int:
        """Stores a machine and returns its number."""
        fields = {column.name for column in schema.Machine.__table__.columns} - {"id", "fingerprint", "role"}
        values = {name: machine[name] for name in sorted(fields)}
        fingerprint = digest_of([role, values])
        self.insert_new(session, schema.Machine, fingerprint=fingerprint, role=role, **values)
        return session.scalars(sa.select(schema.Machine.id).where(schema.Machine.fingerprint == fingerprint)).one()

    def is_finished(self, key: str) -> bool:
        """Whether a grading is there and over."""
        return key in self.finished([key])

    def finished(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys whose grading is over."""
        wanted = list(keys)
        found: set[str] = set()
        with self.read() as session:
            for first in range(0, len(wanted), 500):
                part = wanted[first : first + 500]
                query = sa.select(schema.Grading.key).where(schema.Grading.key.in_(part), schema.Grading.finished_at.is_not(None))
                found.update(session.scalars(query))
        return found

    def known_checks(self, identity: Identity) -> dict[str, CheckResult]:
        """Results that need not be found again: same content, same settings, and a check with the same digest.

        Args:
            identity: Of the grading that is to be made.

        Returns:
            The results by the check's name. None in which the grader itself failed.
        """
        query = (
            sa.select(schema.Check)
            .join(schema.Grading, schema.Check.grading_id == schema.Grading.id)
            .where(
                schema.Grading.digest == identity.digest,
                schema.Grading.settings_digest == identity.settings_digest,
                schema.Check.digest.in_(sorted(set(identity.checks.values()))),
                schema.Check.state != State.UNDECIDED.value,
            )
            .order_by(schema.Check.id)
        )
        with self.read() as session:
            rows = session.scalars(query).all()
        return {row.name: check_result(row) for row in rows if identity.checks.get(row.name) == row.digest}

    def result(self, key: str, *, name: str = "") -> GradeResult:
        """A grading as the one result that every report reads.

        Args:
            key: The grading's key.
            name: What to call the submission.

        Raises:
            StoreError: There is no such grading.
        """
        with self.read() as session:
            return grade_result(self._grading(session, key), name=name)

    def runs(self) -> Sequence[schema.Run]:
        """All runs, the newest first."""
        with self.read() as session:
            return session.scalars(sa.select(schema.Run).order_by(schema.Run.id.desc())).all()

    def run(self, number: int | None = None, *, source: str | None = None) -> schema.Run:
        """A run.

        Args:
            number: Its number; the newest one when not given.
            source: Only of this class.

        Raises:
            StoreError: There is no such run.
        """
        query = sa.select(schema.Run).order_by(schema.Run.id.desc())
        if number is not None:
            query = query.where(schema.Run.id == number)
        if source is not None:
            query = query.where(schema.Run.source == source)
        with self.read() as session:
            run = session.scalars(query).first()
        if run is None:
            which = "no run yet" if number is None else f"no run {number}"
            raise StoreError(f"The store holds {which}; `lab batch` makes one, and `lab runs` lists them.")
        return run

    def entries(self, run_id: int) -> Sequence[schema.Entry]:
        """What a run gave, with submissions, students, gradings and checks loaded; by the submission's label."""
        query = (
            sa.select(schema.Entry)
            .join(schema.Entry.submission)
            .where(schema.Entry.run_id == run_id)
            .order_by(schema.Submission.label, schema.Submission.id)
            .options(
                selectinload(schema.Entry.submission).selectinload(schema.Submission.students),
                selectinload(schema.Entry.grading).selectinload(schema.Grading.checks),
            )
        )
        with self.read() as session:
            return session.scalars(query).all()

    def adjust(self, submission_id: int, points: float, *, reason: str, who: str, check_name: str = "") -> None:
        """Changes a submission's points by hand, for good.

        Args:
            submission_id: Whose points.
            points: What is added; negative takes away.
            reason: Why; students may read it.
            who: Who decided.
            check_name: The check it is about, or empty.

        Raises:
            StoreError: There is no such submission, or no reason.
        """
        if not reason.strip() or not who.strip():
            raise StoreError("A change of points needs a reason and a name; give both.")
        with self.write() as session:
            if session.get(schema.Submission, submission_id) is None:
                raise StoreError(f"There is no submission {submission_id} in this store.")
            session.add(
                schema.Adjustment(
                    submission_id=submission_id, points=points, reason=reason, made_by=who, check_name=check_name, made_at=now()
                )
            )

    def adjustments(self, submission_ids: Iterable[int]) -> dict[int, list[schema.Adjustment]]:
        """Changes by hand, oldest first, by submission."""
        found: dict[int, list[schema.Adjustment]] = {}
        wanted = sorted(set(submission_ids))
        with self.read() as session:
            for first in range(0, len(wanted), 500):
                part = wanted[first : first + 500]
                query = sa.select(schema.Adjustment).where(schema.Adjustment.submission_id.in_(part)).order_by(schema.Adjustment.id)
                for row in session.scalars(query):
                    found.setdefault(row.submission_id, []).append(row)
        return found

    def release(self, run_id: int, *, who: str, note: str = "") -> None:
        """Notes that a run's grades were given back."""
        run = self.run(run_id)
        with self.write() as session:
            session.add(schema.Release(run_id=run.id, released_by=who, released_at=now(), note=note))

    def _grading(self, session: Session, key: str) -> schema.Grading:
        grading = session.scalars(sa.select(schema.Grading).where(schema.Grading.key == key)).first()
        if grading is None:
            raise StoreError(f"There is no grading {key[:12]} in this store.")
        return grading


def check_result(row: schema.Check) -> CheckResult:
    """A stored check as the result that reports read."""
    feedback = row.feedback
    return CheckResult(
        name=row.name,
        title=row.title,
        state=State(row.state),
        points=row.points,
        earned=row.earned,
        duration_s=row.duration_s,
        cause=Cause(row.cause) if row.cause else None,
        feedback=Feedback(**{**feedback, "comparison": tuple(feedback["comparison"])}) if feedback else None,
        command=row.command,
        hidden=row.hidden,
    )


def grade_result(row: schema.Grading, *, name: str = "") -> GradeResult:
    """A stored grading as the result that reports read."""
    return GradeResult(
        submission=name or row.digest[:12],
        digest=row.digest,
        checks=tuple(check_result(check) for check in row.checks),
        official=row.official,
        grader_version=row.grader_version,
        isolation=row.isolation,
        started_at=row.started_at.isoformat(timespec="seconds"),
        duration_s=row.duration_s,
        notes=tuple(row.notes),
    )


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)
