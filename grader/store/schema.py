"""The tables. What was graded never changes: a grading is known by what went into it, and a second one of the same kind is the same row.

    contents      what was handed in, by its digest            students     the roster
    measurements of a content: machines, samples, kernels,     submissions  who handed in what, when, and as which attempt
                               curves                          runs         one `lab batch`; entries: which grading it gave each submission
    graders       a version of the grader, check by check      adjustments  points changed by a person, with the reason
    settings      what else a grade depends on                 releases     which run was given back to the class
    gradings      content + grader + settings; checks: its results      nicknames: who is on the leaderboard, by their own choice

Every change of a table is a migration in `migrations/versions/`; a test compares both.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, DateTime, Float, ForeignKey, Index, MetaData, String, Text, TypeDecorator, UniqueConstraint, false
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

DIGEST: Final = String(64)
"""SHA-256 in hexadecimal."""
NAME: Final = String(255)
REPLACED: Final = "replaced-"
"""Begins the key of a grading that was made anew."""


class Utc(TypeDecorator[datetime]):
    """A time in UTC, with its zone on any database: SQLite itself forgets it."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """On the way in."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """On the way out."""
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


TIME: Final = Utc()


class Base(DeclarativeBase):
    """All tables. Constraints have names, so that a migration can change them on any database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Student(Base):
    """One line of the roster, or a person who handed in without being on it (`on_roster` is false then).

    Attributes:
        key: What identifies the student in this database: the first that is known of SIS id, login, e-mail, Canvas id, name.
        group_name: Students of one group share what any of them hands in.
    """

    __tablename__ = "students"
    __table_args__ = (UniqueConstraint("key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(NAME)
    name: Mapped[str] = mapped_column(NAME, default="")
    login: Mapped[str] = mapped_column(NAME, default="", index=True)
    email: Mapped[str] = mapped_column(NAME, default="")
    sis_id: Mapped[str] = mapped_column(NAME, default="")
    canvas_id: Mapped[str] = mapped_column(NAME, default="")
    moodle_id: Mapped[str] = mapped_column(NAME, default="")
    github: Mapped[str] = mapped_column(NAME, default="")
    section: Mapped[str] = mapped_column(NAME, default="", index=True)
    group_name: Mapped[str] = mapped_column(NAME, default="")
    on_roster: Mapped[bool] = mapped_column(default=True)


class Machine(Base):
    """A machine: one that graded (`role` is `grader`) or one that a student measured on (`student`)."""

    __tablename__ = "machines"
    __table_args__ = (UniqueConstraint("fingerprint"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(DIGEST)
    role: Mapped[str] = mapped_column(String(16))
    cpu: Mapped[str] = mapped_column(Text)
    cores: Mapped[int]
    memory_bytes: Mapped[int] = mapped_column(BigInteger)
    system: Mapped[str] = mapped_column(Text)
    python: Mapped[str] = mapped_column(NAME)
    tensorflow: Mapped[str] = mapped_column(NAME)
    keras: Mapped[str] = mapped_column(NAME)


class Content(Base):
    """What was handed in. Two submissions with the same files are one content, and are graded once."""

    __tablename__ = "contents"

    digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    machine_id: Mapped[int | None] = mapped_column(ForeignKey("machines.id"))
    """The machine that the student measured on, when results/machine.json can be read."""
    measured_at: Mapped[str] = mapped_column(NAME, default="")
    plan: Mapped[str] = mapped_column(NAME, default="")
    val_correct: Mapped[int | None]
    val_total: Mapped[int | None]

    machine: Mapped[Machine | None] = relationship()


class Sample(Base):
    """One raw timing of results/timings.json: the total of one repeat of one setting."""

    __tablename__ = "samples"
    __table_args__ = (UniqueConstraint("digest", "mode", "setting", "repeat"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(ForeignKey("contents.digest"))
    mode: Mapped[str] = mapped_column(String(16))
    """`online` or `batches`."""
    setting: Mapped[int]
    """Place in the file, from 0."""
    count: Mapped[int]
    batch_size: Mapped[int]
    repeat: Mapped[int]
    total_s: Mapped[float] = mapped_column(Float(53))


class Kernel(Base):
    """One kernel of one profiled image, of results/kernels.json."""

    __tablename__ = "kernels"
    __table_args__ = (UniqueConstraint("digest", "sample", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(ForeignKey("contents.digest"))
    sample: Mapped[int]
    position: Mapped[int]
    layer: Mapped[str] = mapped_column(NAME)
    kernel: Mapped[str] = mapped_column(NAME)
    duration_us: Mapped[float] = mapped_column(Float(53))


class Epoch(Base):
    """One epoch of the main training run, of results/training.json."""

    __tablename__ = "curves"
    __table_args__ = (UniqueConstraint("digest", "epoch"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(ForeignKey("contents.digest"))
    epoch: Mapped[int]
    """From 1."""
    loss: Mapped[float] = mapped_column(Float(53))
    accuracy: Mapped[float] = mapped_column(Float(53))
    val_loss: Mapped[float] = mapped_column(Float(53))
    val_accuracy: Mapped[float] = mapped_column(Float(53))


class Submission(Base):
    """Something that was handed in, as the course system's download names it.

    Attributes:
        source: The class it belongs to: the name of the download's folder, or what `lab batch --course` gave.
        label: Its folder, file or id in the download; the same download gives the same labels.
        digest: Of its content; empty when the content cannot be taken, and `problem` says why.
        attempt: From 1, in order of time, for each student.
        late_days: Whole days after the due date, a begun day counted whole; 0 when in time or when no due date is known.
        problem: Why the content cannot be taken.
    """

    __tablename__ = "submissions"
    __table_args__ = (UniqueConstraint("source", "label", "digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(NAME, index=True)
    label: Mapped[str] = mapped_column(NAME)
    digest: Mapped[str] = mapped_column(DIGEST, default="", index=True)
    submitted_at: Mapped[datetime | None] = mapped_column(TIME)
    attempt: Mapped[int] = mapped_column(default=1)
    late_days: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str] = mapped_column(Text, default="")

    students: Mapped[list[Student]] = relationship(secondary="submission_students", order_by="Student.key")


class SubmissionStudent(Base):
    """Who handed a submission in; several for a group."""

    __tablename__ = "submission_students"

    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), primary_key=True)
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), primary_key=True)


class Grader(Base):
    """A version of the grader.

    Attributes:
        digest: Over the digests of all its checks.
        checks: From a check's name to the digest of all that its result follows from.
    """

    __tablename__ = "graders"

    digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    version: Mapped[str] = mapped_column(NAME)
    checks: Mapped[dict[str, str]] = mapped_column(JSON)


class Settings(Base):
    """What a grade depends on beside content and grader: the secret (as a fingerprint), the selection, the sandbox's kind."""

    __tablename__ = "settings"

    digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)


class Grading(Base):
    """One grading of one content; immutable once `finished_at` is set.

    Attributes:
        key: Digest over content, grader and settings; unique, so that nothing is counted twice. A grading that was made anew
            (`--force`) gives its key to the new one, gets one that begins with `REPLACED`, and stays for the runs that it belongs to.
        isolation: The sandbox's tier, as `GradeResult.isolation` tells it.
        notes: Remarks about the submission itself.
    """

    __tablename__ = "gradings"
    __table_args__ = (UniqueConstraint("key"), Index("ix_gradings_digest_settings", "digest", "settings_digest"))

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(DIGEST)
    digest: Mapped[str] = mapped_column(ForeignKey("contents.digest"))
    grader_digest: Mapped[str] = mapped_column(ForeignKey("graders.digest"))
    settings_digest: Mapped[str] = mapped_column(ForeignKey("settings.digest"))
    grader_version: Mapped[str] = mapped_column(NAME, default="")
    isolation: Mapped[str] = mapped_column(Text, default="")
    official: Mapped[bool] = mapped_column(default=False)
    machine_id: Mapped[int | None] = mapped_column(ForeignKey("machines.id"))
    started_at: Mapped[datetime] = mapped_column(TIME)
    finished_at: Mapped[datetime | None] = mapped_column(TIME)
    duration_s: Mapped[float] = mapped_column(Float(53), default=0.0)
    score: Mapped[float] = mapped_column(Float(53), default=0.0)
    points: Mapped[float] = mapped_column(Float(53), default=0.0)
    undecided: Mapped[float] = mapped_column(Float(53), default=0.0)
    notes: Mapped[list[str]] = mapped_column(JSON, default=list)

    checks: Mapped[list[Check]] = relationship(order_by="Check.position")
    machine: Mapped[Machine | None] = relationship()


class Check(Base):
    """The result of one check of one grading.

    Attributes:
        digest: Of all that the check's result follows from on the grader's side.
        feedback: The fields of `grader.results.Feedback`, or null.
        reused: Taken over from an earlier grading of the same content, whose check had the same digest.
    """

    __tablename__ = "checks"
    __table_args__ = (UniqueConstraint("grading_id", "name"), Index("ix_checks_digest", "digest"))

    id: Mapped[int] = mapped_column(primary_key=True)
    grading_id: Mapped[int] = mapped_column(ForeignKey("gradings.id"))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(NAME)
    section: Mapped[str] = mapped_column(NAME)
    title: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(32))
    cause: Mapped[str] = mapped_column(String(32), default="")
    points: Mapped[float] = mapped_column(Float(53))
    earned: Mapped[float] = mapped_column(Float(53))
    duration_s: Mapped[float] = mapped_column(Float(53))
    feedback: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    command: Mapped[str] = mapped_column(Text, default="")
    hidden: Mapped[bool] = mapped_column(default=False)
    """Whether the feedback holds examples drawn from the course's secret: for instructors, not for students."""
    digest: Mapped[str] = mapped_column(DIGEST)
    reused: Mapped[bool] = mapped_column(default=False)


class Run(Base):
    """One `lab batch`; a command that was cut off and given again goes on with the same run.

    Attributes:
        state: `running` (also after it was cut off), `finished`, or `incomplete` when something is left to be tried again.
        rule: Which of several submissions counts: `latest` or `best`.
        forced: Whether it grades anew what was graded already.
        scheduler: Address of the cluster's scheduler; empty on one machine.
        remarks: What intake found: unknown, duplicate and missing students, one sentence each.
    """

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(NAME, index=True)
    grader_digest: Mapped[str] = mapped_column(ForeignKey("graders.digest"))
    settings_digest: Mapped[str] = mapped_column(ForeignKey("settings.digest"))
    started_by: Mapped[str] = mapped_column(NAME)
    started_at: Mapped[datetime] = mapped_column(TIME)
    finished_at: Mapped[datetime | None] = mapped_column(TIME)
    state: Mapped[str] = mapped_column(String(16), default="running")
    rule: Mapped[str] = mapped_column(String(16), default="latest")
    scheduler: Mapped[str] = mapped_column(NAME, default="")
    forced: Mapped[bool] = mapped_column(default=False, server_default=false())
    submissions: Mapped[int] = mapped_column(default=0)
    remarks: Mapped[list[str]] = mapped_column(JSON, default=list)

    entries: Mapped[list[Entry]] = relationship(order_by="Entry.submission_id")


class Entry(Base):
    """What a run gave one submission.

    Attributes:
        grading_id: Null for a submission whose content cannot be taken.
        cached: Whether nothing had to run for it.
        counts: Whether it is the submission that counts for its students in this run.
    """

    __tablename__ = "entries"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), primary_key=True)
    grading_id: Mapped[int | None] = mapped_column(ForeignKey("gradings.id"), index=True)
    cached: Mapped[bool] = mapped_column(default=False)
    counts: Mapped[bool] = mapped_column(default=True)

    grading: Mapped[Grading | None] = relationship()
    submission: Mapped[Submission] = relationship()


class Adjustment(Base):
    """Points that a person added or took. Rows are only ever added; what is to be undone is adjusted back.

    Attributes:
        submission_id: Whose points; it stays in force when the submission is graded again.
        check_name: The check it is about; empty for the grade as a whole.
        points: What is added; negative takes away.
    """

    __tablename__ = "adjustments"

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), index=True)
    check_name: Mapped[str] = mapped_column(NAME, default="")
    points: Mapped[float] = mapped_column(Float(53))
    reason: Mapped[str] = mapped_column(Text)
    made_by: Mapped[str] = mapped_column(NAME)
    made_at: Mapped[datetime] = mapped_column(TIME)


class Release(Base):
    """A run whose grades were given back to the class."""

    __tablename__ = "releases"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), index=True)
    released_by: Mapped[str] = mapped_column(NAME)
    released_at: Mapped[datetime] = mapped_column(TIME)
    note: Mapped[str] = mapped_column(Text, default="")


class Nickname(Base):
    """The name under which a student takes part in the leaderboard; without a row they are not on it."""

    __tablename__ = "nicknames"
    __table_args__ = (UniqueConstraint("nickname"),)

    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), primary_key=True)
    nickname: Mapped[str] = mapped_column(NAME)
    chosen_at: Mapped[datetime] = mapped_column(TIME)
