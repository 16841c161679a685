"""What the dashboard writes into a class's database: adjustments and releases, rows that are only ever added, and nicknames.

Who made a change is the viewer, never something that the page was told.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from dashboard.access import Refused, Viewer, require_instructor
from grader.errors import ResultsError
from grader.store import schema
from grader.store.results import Results, now

LONGEST_REASON: Final = 2000
LARGEST_POINTS: Final = 1000.0
LONGEST_NICKNAME: Final = 32


def adjust(store: Results, viewer: Viewer, submission_id: int, check_name: str, points: float, reason: str) -> None:
    """Adds points to a submission, or takes some.

    Args:
        store: The class's database.
        viewer: Who does it.
        submission_id: Whose points.
        check_name: The check it is about; empty for the grade as a whole.
        points: What is added; negative takes away.
        reason: Why, for the student and for the record.

    Raises:
        Refused: The viewer is not an instructor.
        ResultsError: There is no reason, or nothing to change.
        StoreError: There is no such submission.
    """
    require_instructor(viewer)
    if not reason.strip():
        raise ResultsError("An adjustment needs a reason; the student reads it.")
    if len(reason) > LONGEST_REASON:
        raise ResultsError(f"The reason has {len(reason):,} characters, expected at most {LONGEST_REASON:,}.")
    if points == 0 or abs(points) > LARGEST_POINTS:
        raise ResultsError(f"Expected points other than 0, at most {LARGEST_POINTS:g} up or down; received {points:g}.")
    store.adjust(submission_id, points, reason=reason.strip(), who=viewer.name, check_name=check_name)


def release(store: Results, viewer: Viewer, run_id: int, note: str) -> None:
    """Gives a run's grades back to the class.

    Args:
        store: The class's database.
        viewer: Who does it.
        run_id: The run.
        note: A remark for the record.

    Raises:
        Refused: The viewer is not an instructor.
        ResultsError: The run is not finished.
        StoreError: There is no such run.
    """
    require_instructor(viewer)
    state = store.run(run_id).state
    if state != "finished":
        raise ResultsError(f"Only a finished run can be given back; run {run_id} is {state}.")
    store.release(run_id, who=viewer.name, note=note.strip()[:LONGEST_REASON])


def choose_nickname(store: Results, viewer: Viewer, nickname: str) -> None:
    """Puts the viewer on the leaderboard under a name, or takes them off it.

    Args:
        store: The class's database.
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
    with store.write() as session:
        taken = sa.select(schema.Nickname).where(
            sa.func.lower(schema.Nickname.nickname) == chosen.lower(), schema.Nickname.student_id != viewer.student_id
        )
        if chosen and session.scalars(taken).first():
            raise ResultsError("That nickname is taken; choose another.")
        session.execute(sa.delete(schema.Nickname).where(schema.Nickname.student_id == viewer.student_id))
        if chosen:
            session.add(schema.Nickname(student_id=viewer.student_id, nickname=chosen, chosen_at=now()))
