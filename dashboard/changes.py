"""What the dashboard writes into a class's database: adjustments and releases, rows that are only ever added, and nicknames.

Who made a change is the viewer, never something that the page was told.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Engine, text

from dashboard.access import Refused, Viewer, require_instructor
from grader.errors import ResultsError

LONGEST_REASON: Final = 2000
LARGEST_POINTS: Final = 1000.0
LONGEST_NICKNAME: Final = 32


def adjust(engine: Engine, viewer: Viewer, submission_id: int, check_name: str, points: float, reason: str) -> None:
    """Adds points to a submission, or takes some.

    Args:
        engine: The class's database.
        viewer: Who does it.
        submission_id: Whose points.
        check_name: The check it is about; empty for the grade as a whole.
        points: What is added; negative takes away.
        reason: Why, for the student and for the record.

    Raises:
        Refused: The viewer is not an instructor.
        ResultsError: There is no reason, no such submission, or nothing to change.
    """
    require_instructor(viewer)
    if not reason.strip():
        raise ResultsError("An adjustment needs a reason; the student reads it.")
    if len(reason) > LONGEST_REASON:
        raise ResultsError(f"The reason has {len(reason):,} characters, expected at most {LONGEST_REASON:,}.")
    if points == 0 or abs(points) > LARGEST_POINTS:
        raise ResultsError(f"Expected points other than 0, at most {LARGEST_POINTS:g} up or down; received {points:g}.")
    with engine.begin() as connection:
        known = connection.execute(text("SELECT 1 FROM submissions WHERE id = :id"), {"id": submission_id}).first()
        if known is None:
            raise ResultsError(f"There is no submission {submission_id}.")
        connection.execute(
            text(
                "INSERT INTO adjustments (submission_id, check_name, points, reason, made_by, made_at) "
                "VALUES (:submission_id, :check_name, :points, :reason, :made_by, :made_at)"
            ),
            {
                "submission_id": submission_id,
                "check_name": check_name,
                "points": points,
                "reason": reason.strip(),
                "made_by": viewer.name,
                "made_at": _now(engine),
            },
        )


def release(engine: Engine, viewer: Viewer, run_id: int, note: str) -> None:
    """Gives a run's grades back to the class.

    Args:
        engine: The class's database.
        viewer: Who does it.
        run_id: The run.
        note: A remark for the record.

    Raises:
        Refused: The viewer is not an instructor.
        ResultsError: The run is not finished, or there is none.
    """
    require_instructor(viewer)
    with engine.begin() as connection:
        row = connection.execute(text("SELECT state FROM runs WHERE id = :id"), {"id": run_id}).first()
        if row is None or row[0] != "finished":
            raise ResultsError(f"Only a finished run can be given back; run {run_id} is {row[0] if row else 'not there'}.")
        connection.execute(
            text("INSERT INTO releases (run_id, released_by, released_at, note) VALUES (:run_id, :by, :at, :note)"),
            {"run_id": run_id, "by": viewer.name, "at": _now(engine), "note": note.strip()[:LONGEST_REASON]},
        )


def choose_nickname(engine: Engine, viewer: Viewer, nickname: str) -> None:
    """Puts the viewer on the leaderboard under a name, or takes them off it.

    Args:
        engine: The class's database.
        viewer: A student; their own row is the only one that can change.
        nickname: The name; empty takes them off.

    Raises:
        Refused: The viewer is not a student of this class.
        ResultsError: The name is taken, too long, or not one line of text.
    """
    if viewer.student_id is None:
        raise Refused("Only students of this class take part in the leaderboard.")
    chosen = " ".join(nickname.split())
    if len(chosen) > LONGEST_NICKNAME or not chosen.isprintable():
        raise ResultsError(f"A nickname has at most {LONGEST_NICKNAME} characters, all of them visible.")
    with engine.begin() as connection:
        taken = text("SELECT 1 FROM nicknames WHERE lower(nickname) = lower(:nickname) AND student_id <> :me")
        if chosen and connection.execute(taken, {"nickname": chosen, "me": viewer.student_id}).first():
            raise ResultsError("That nickname is taken; choose another.")
        connection.execute(text("DELETE FROM nicknames WHERE student_id = :me"), {"me": viewer.student_id})
        if chosen:
            connection.execute(
                text("INSERT INTO nicknames (student_id, nickname, chosen_at) VALUES (:me, :nickname, :at)"),
                {"me": viewer.student_id, "nickname": chosen, "at": _now(engine)},
            )


def _now(engine: Engine) -> object:
    # As SQLAlchemy stores a time: SQLite has no type for one and takes its text in UTC.
    now = datetime.now(UTC)
    return now.strftime("%Y-%m-%d %H:%M:%S.%f") if engine.dialect.name == "sqlite" else now
