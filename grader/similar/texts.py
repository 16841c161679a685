"""The code of a class, read as text; nothing of it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from grader.batch.intake import Intake, Received, as_one
from grader.errors import LabError
from grader.host.intake import take
from grader.lab import MODULE_FILES


@dataclass(frozen=True, slots=True)
class Text:
    """The code of one submission.

    Attributes:
        label: Its name in the download.
        students: Who it is of, for a person to read.
        keys: The same, for comparing.
        files: From a module's name to its text; modules that are missing are left out.
    """

    label: str
    students: str
    keys: frozenset[str]
    files: dict[str, str]


def read_texts(intake: Intake, remarks: list[str]) -> list[Text]:
    """Reads the newest submission of each student.

    Args:
        intake: The class.
        remarks: A sentence is added for each submission that cannot be read.

    Returns:
        The texts, by label.
    """
    return list(_read(_newest(intake), remarks))


def read_chosen(intake: Intake, students: Mapping[str, str], remarks: list[str]) -> list[Text]:
    """Reads some submissions, with students who are known from elsewhere.

    Args:
        intake: The class.
        students: From the label of each submission to read to the names of its students.
        remarks: A sentence is added for each submission that cannot be read.

    Returns:
        The texts, in the order of the download.
    """
    chosen = [received for received in intake.submissions if received.label in students]
    return [replace(text, students=students[text.label], keys=frozenset({text.label})) for text in _read(chosen, remarks)]


def read_stubs(folder: Path) -> dict[str, str]:
    """Reads what every student was given.

    Args:
        folder: What students started from.

    Returns:
        From a module's file name to its text; modules that are missing are left out.
    """
    return {name: (folder / name).read_text(encoding="utf-8") for name in MODULE_FILES if (folder / name).is_file()}


LONGEST_LINE: Final = 1_000
LONGEST_MODULE: Final = 100_000
"""Characters that are compared. The reference's longest module has 10,000."""


def _lines(source: str) -> str:
    """A module without spaces at the ends of lines, with one empty line where there are several, and no line and nothing in all too long.

    The comparison takes the square of the time for white space that goes over many lines (a file of 30 KB took a quarter of a minute), for
    a string like '%000...' (20 KB: as long), and for names of characters that are begun and do not end.
    """
    lines = [line[:LONGEST_LINE].rstrip() for line in source.replace("\\N{", "\\N(").splitlines()]
    return "".join(f"{line}\n" for line, before in zip(lines, ["", *lines], strict=False) if line or before)[:LONGEST_MODULE]


def _newest(intake: Intake) -> list[Received]:
    newest: dict[tuple[str, ...], Received] = {}
    for received in intake.submissions:
        who = tuple(sorted(person.key for person in received.students))
        if who not in newest or received.attempt > newest[who].attempt:
            newest[who] = received
    return sorted(newest.values(), key=lambda received: received.label)


def _read(submissions: list[Received], remarks: list[str]) -> Iterator[Text]:
    for received in submissions:
        files = {}
        try:
            with as_one(received) as place, take(place) as taken:
                for name in MODULE_FILES:
                    if (taken.folder / name).is_file():
                        files[name] = _lines((taken.folder / name).read_text(encoding="utf-8", errors="replace"))
        except LabError as error:
            remarks.append(f"{received.label} cannot be compared: {error}")
            continue
        keys = frozenset(person.key for person in received.students)
        yield Text(received.label, ", ".join(person.shown for person in received.students), keys, files)
