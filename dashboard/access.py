"""Who sees what. A `Viewer` goes into every query of the class's database; a page that is not in the menu is only half of it.

Without a login the dashboard is one person's own: it listens on loopback only, and who can open the database file may see all of it.
With `st.login` configured (OpenID Connect), the role comes from the roster: the addresses in `[lab] instructors` of secrets.toml are
instructors, a verified address of a student on the roster is that student, and everybody else sees nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import pandas as pd
from pandas.errors import DatabaseError
from sqlalchemy.exc import SQLAlchemyError

from grader.errors import LabError

Ask = Callable[[str, dict[str, Any]], pd.DataFrame]
"""Runs a query with its parameters and gives the rows."""

UNREADABLE: Final = (DatabaseError, SQLAlchemyError)
"""What a query raises when the database is away: from pandas 3 on its own error around SQLAlchemy's."""

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Refused(LabError):
    """Somebody asked for what is not theirs to see."""


class Role(StrEnum):
    """What somebody may see."""

    STUDENT = "student"
    INSTRUCTOR = "instructor"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who looks at the dashboard.

    Attributes:
        role: What they may see.
        name: As adjustments and releases record it: an address, or the account's name on this machine.
        student_id: Their row of the roster; None for an instructor, and for a student who looks at a folder of their own.
    """

    role: Role
    name: str
    student_id: int | None = None

    @property
    def instructor(self) -> bool:
        """Whether they see the whole class."""
        return self.role is Role.INSTRUCTOR


def require_instructor(viewer: Viewer) -> None:
    """Stops everybody else.

    Raises:
        Refused: The viewer is not an instructor.
    """
    if not viewer.instructor:
        raise Refused("This page is for instructors.")


def identify(claims: Mapping[str, Any], instructors: Iterable[str], ask: Ask) -> Viewer:
    """Finds out who has logged in.

    Args:
        claims: What the identity provider says of them.
        instructors: Addresses of the course's instructors.
        ask: Where the roster is asked.

    Returns:
        The viewer.

    Raises:
        Refused: The address is not verified, or nobody's in this course.
    """
    address = str(claims.get("email") or "").strip().lower()
    # An address that its provider did not verify can be anybody's.
    if not address or claims.get("email_verified") not in (True, "true"):
        raise Refused("Your identity provider gives no verified e-mail address for you; the course knows people by theirs.")
    if address in {known.strip().lower() for known in instructors}:
        return Viewer(Role.INSTRUCTOR, address)
    found = ask("SELECT id FROM students WHERE on_roster AND lower(email) = :address", {"address": address})
    if len(found) != 1:
        raise Refused(f"{address} is not on this course's roster; ask your instructor to put it there.")
    return Viewer(Role.STUDENT, address, int(found["id"].iloc[0]))


def refuse_open_door(address: str, *, login: bool, class_open: bool) -> None:
    """Stops a class's database from being shown to a network without a login.

    Args:
        address: What the server listens on.
        login: Whether a login is configured.
        class_open: Whether a class's database is shown.

    Raises:
        Refused: Others could read it.
    """
    if class_open and not login and address not in LOOPBACK:
        raise Refused(
            f"The dashboard listens on {address or 'every address'} and has no login, so anybody could read the class. "
            "Configure one (docs/dashboard.md), or let it listen on 127.0.0.1."
        )
