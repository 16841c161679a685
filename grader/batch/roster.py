"""The roster: who is in the class, and which of them a download means."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from grader.errors import LabError

_COLUMNS: Final = {
    "name": ("name", "student", "full name", "student name"),
    "first": ("first name", "firstname", "given name"),
    "last": ("last name", "lastname", "surname", "family name"),
    "sis_id": ("sis_id", "sis user id", "sid", "student id", "id number", "student number"),
    "login": ("login", "sis login id", "username", "user name", "netid"),
    "email": ("email", "e-mail", "email address"),
    "canvas_id": ("canvas_id", "id", "canvas id"),
    "section": ("section", "sections", "section name"),
    "moodle_id": ("moodle_id", "identifier", "participant"),
    "github": ("github", "github_username", "github username"),
    "group": ("group", "group name", "team"),
}


@dataclass(frozen=True, slots=True)
class Person:
    """A student, as far as somebody told; on a roster, or named by a download."""

    name: str = ""
    login: str = ""
    email: str = ""
    sis_id: str = ""
    canvas_id: str = ""
    github: str = ""
    section: str = ""
    group: str = ""
    moodle_id: str = ""
    handle: str = ""
    """What else tells apart people of whom only a name is known: the submission's label."""

    @property
    def key(self) -> str:
        """What identifies the student in a store."""
        known = (
            ("sis", self.sis_id),
            ("login", self.login),
            ("email", self.email),
            ("canvas", self.canvas_id),
            ("moodle", self.moodle_id),
            ("github", self.github),
        )
        for kind, value in known:
            if value:
                return f"{kind}:{value}"
        return f"name:{self.name}" + (f" ({self.handle})" if self.handle else "")

    @property
    def shown(self) -> str:
        """What to call the student in a message."""
        return self.name or self.login or self.email or self.sis_id or self.github or self.canvas_id


class Roster:
    """The students of a class.

    Args:
        people: Its lines.
    """

    def __init__(self, people: Iterable[Person] = ()) -> None:
        self.people = tuple(people)

    @classmethod
    def read(cls, file: Path) -> Roster:
        """Reads a CSV with a header: name (or first and last name), login, e-mail, ids, section, github, group, as far as known.

        A gradebook that Canvas exported is such a file.

        Raises:
            LabError: It cannot be read, has no such header, or holds a student twice.
        """
        try:
            text = file.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise LabError(f"The roster {file} cannot be read ({error}); expected a CSV in UTF-8.") from error
        rows = list(csv.reader(io.StringIO(text)))
        header = [cell.strip().lower() for cell in rows[0]] if rows else []
        places = {field: next((header.index(name) for name in names if name in header), None) for field, names in _COLUMNS.items()}
        if all(places[field] is None for field in ("name", "login", "email", "sis_id", "canvas_id", "github", "last")):
            raise LabError(f"The roster {file} has no column that names a student; expected one of name, login, email, sis_id, github.")
        people: list[Person] = []
        seen: dict[str, int] = {}
        for number, row in enumerate(rows[1:], start=2):

            def cell(field: str, row: list[str] = row) -> str:
                place = places[field]
                return row[place].strip() if place is not None and place < len(row) else ""

            name = cell("name") or " ".join(part for part in (cell("first"), cell("last")) if part)
            values = {field.name: cell(field.name) for field in fields(Person) if field.name in _COLUMNS and field.name != "name"}
            values["moodle_id"] = values["moodle_id"].removeprefix("Participant").strip()
            person = Person(name, **values)
            # Canvas puts the points possible, and a student who tests the course, below the header.
            if not person.shown or name in ("Points Possible", "Student, Test"):
                continue
            if person.key in seen:
                raise LabError(f"The roster {file} holds {person.shown} in line {seen[person.key]} and again in line {number}; keep one.")
            seen[person.key] = number
            people.append(person)
        return cls(people)

    def find(self, told: Person) -> tuple[Person | None, str]:
        """The student whom a download means: by SIS id, Canvas id, login, e-mail, GitHub name, and last by name.

        Args:
            told: What the download tells of the person.

        Returns:
            The student or None, and why not, as a phrase.
        """
        for field in ("sis_id", "canvas_id", "moodle_id", "login", "email", "github"):
            value = getattr(told, field).casefold()
            found = [person for person in self.people if value and getattr(person, field).casefold() == value]
            if len(found) == 1:
                return found[0], ""
        wanted = squash(told.name)
        found = [person for person in self.people if wanted and wanted in _spellings(person)]
        if len(found) == 1:
            return found[0], ""
        return None, f"{len(found)} students of the roster are called so" if found else "nobody of the roster"

    def group(self, person: Person) -> tuple[Person, ...]:
        """All who share what one hands in: the group, or the student alone."""
        if not person.group:
            return (person,)
        return tuple(other for other in self.people if other.group == person.group)


def squash(name: str) -> str:
    """Letters and digits of a name, without accents and case, as course systems write them into file names."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return re.sub(r"[\W_]", "", "".join(char for char in plain if not unicodedata.combining(char)))


def _spellings(person: Person) -> set[str]:
    last, comma, first = person.name.partition(",")
    if comma:
        return {squash(last + first), squash(first + last)}
    words = person.name.split()
    # "Ada Lovelace" is lovelaceada in Canvas's file names; where the first name ends is not known, so each place is tried.
    return {squash(person.name), *(squash("".join(words[cut:] + words[:cut])) for cut in range(1, len(words)))}
