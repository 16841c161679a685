"""A course system's download in, submissions out. Nothing is renamed by hand, and nothing is dropped without a word.

folder      one folder or zip a student, called after a login, id, e-mail or name
canvas      lastfirst_[LATE_]<user id>_<submission id>_<file name>
moodle      Full Name_12345_assignsubmission_file/
gradescope  submission_metadata.yml and submission_<id>/
classroom   <assignment>-<login>/, each a clone
"""

from __future__ import annotations

import math
import os
import re
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from grader.batch.clones import believable, last_commits
from grader.batch.roster import Person, Roster
from grader.errors import LabError
from grader.host.intake import harmless
from grader.lab import MODULE_FILES

METADATA: Final = "submission_metadata.yml"
LAYOUTS: Final = ("folder", "canvas", "moodle", "gradescope", "classroom")
SEVERAL: Final = 3
"""So many submissions in one folder are a class: one student may keep a second copy of the work."""
DAY_S: Final = 24 * 3600.0
LARGEST_METADATA: Final = 64 * 2**20
LOOSE_FILE_BYTES: Final = 64 * 2**20
_CANVAS: Final = re.compile(r"(?P<who>[^_]+)_(?:(?P<late>LATE)_)?(?P<user>\d+)_(?P<submission>\d+)_(?P<file>.+)")
_AGAIN: Final = re.compile(r"-(\d{1,3})(?=\.[^.]+$|$)")
_MOODLE: Final = re.compile(r"(?P<name>.+)_(?P<participant>\d+)_assignsubmission_file_?")


@dataclass(frozen=True, slots=True)
class Received:
    """One thing that was handed in.

    Attributes:
        label: Its name in the download, the same each time it is read.
        files: A folder, a zip, or several loose files that make one submission.
        told: Whom the download names; several for a group.
        submitted_at: When, if the download tells.
        late: Whether the download itself marks it late.
        attempt: Its number among those of the same students, from 1, when the download tells; 0 otherwise.
        students: Who it counts for, on the roster or not.
        late_days: Whole days after the due date, begun days counted whole.
    """

    label: str
    files: tuple[Path, ...]
    told: tuple[Person, ...]
    submitted_at: datetime | None = None
    late: bool = False
    attempt: int = 0
    students: tuple[Person, ...] = ()
    late_days: int = 0


@dataclass(frozen=True, slots=True)
class Intake:
    """What a download holds.

    Attributes:
        layout: Which course system's it is.
        submissions: All of them, by label.
        missing: Students of the roster who handed in nothing.
        remarks: What a person should know: unknown people, several submissions, files that belong to nobody.
    """

    layout: str
    submissions: tuple[Received, ...]
    missing: tuple[Person, ...]
    remarks: tuple[str, ...]


def read_class(source: Path, roster: Roster, *, layout: str = "auto", due: datetime | None = None) -> Intake:
    """Reads a download.

    Args:
        source: Its folder.
        roster: The class; without people in it, nobody is unknown or missing.
        layout: One of `LAYOUTS`, or `auto`.
        due: When it was due, for late days.

    Returns:
        What it holds.

    Raises:
        LabError: There is no such folder, or it holds nothing that was handed in.
    """
    if not source.is_dir():
        raise LabError(f"Expected the folder of a course system's download, but {source} is not a folder; unpack the download first.")
    if layout == "auto":
        _refuse_one_too_high(source)
    kind = _recognise(source) if layout == "auto" else layout
    if kind not in LAYOUTS:
        raise LabError(f"There is no layout {layout!r}; expected one of {', '.join(LAYOUTS)}.")
    remarks: list[str] = []
    readers = {"folder": _folder, "canvas": _canvas, "moodle": _moodle, "gradescope": _gradescope, "classroom": _classroom}
    received = readers[kind](source, remarks)
    if not received:
        raise LabError(f"{source} holds no submission in the layout `{kind}`; expected folders or zips, or another --layout.")
    received = [_harmless(one) for one in received]
    if kind == "classroom":
        received = _with_logins(received, roster)
    matched = [_match(one, roster, remarks) for one in received]
    matched = [replace(one, late_days=_late_days(one, due)) for one in matched]
    matched = _number(matched, remarks)
    there = {person.key for one in matched for person in one.students}
    missing = tuple(person for person in roster.people if person.key not in there)
    remarks += [f"missing: {person.shown} handed in nothing" for person in missing]
    return Intake(kind, tuple(sorted(matched, key=lambda one: one.label)), missing, tuple(_shown(remark) for remark in remarks))


@contextmanager
def as_one(received: Received) -> Iterator[Path]:
    """A folder or zip that `grader.host.intake.take` takes, for as long as the context lasts."""
    if len(received.files) == 1 and (received.files[0].is_dir() or received.files[0].suffix.lower() == ".zip"):
        yield received.files[0]
        return
    with tempfile.TemporaryDirectory(prefix="lab-loose-") as folder:
        for file in received.files:
            _copy(file, Path(folder) / _own_name(file))
        yield Path(folder)


def _copy(file: Path, target: Path) -> None:
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return
    with os.fdopen(descriptor, "rb") as source:
        if stat.S_ISREG(os.fstat(descriptor).st_mode) and os.fstat(descriptor).st_size <= LOOSE_FILE_BYTES:
            with target.open("wb") as copy:
                shutil.copyfileobj(source, copy)


def _own_name(file: Path) -> str:
    match = _CANVAS.fullmatch(file.name)
    return _AGAIN.sub("", match["file"]) if match else file.name


def _recognise(source: Path) -> str:
    names = _entries(source)
    if (source / METADATA).is_file():
        return "gradescope"
    if any(_MOODLE.fullmatch(place.name) for place in names):
        return "moodle"
    if any(_CANVAS.fullmatch(place.name) for place in names):
        return "canvas"
    if any((place / ".git").is_dir() for place in names):
        return "classroom"
    return "folder"


def _refuse_one_too_high(source: Path) -> None:
    # A download of one submission is rare; the folder above a download, with the roster beside it, is a slip.
    folders = [place for place in _entries(source) if place.suffix.lower() != ".csv"]
    if len(folders) != 1 or not folders[0].is_dir():
        return
    (inner,) = folders
    handed_in = [
        place
        for place in _entries(inner)
        if place.suffix.lower() == ".zip" or (place.is_dir() and any((place / name).is_file() for name in MODULE_FILES))
    ]
    if _recognise(inner) != "folder" or len(handed_in) >= SEVERAL:
        raise LabError(f"{source} holds nothing but the folder {inner.name}, which looks like the download itself; give {inner}.")


def _entries(source: Path) -> list[Path]:
    return sorted(place for place in source.iterdir() if not place.name.startswith((".", "__MACOSX")) and not place.is_symlink())


def _folder(source: Path, remarks: list[str]) -> list[Received]:
    received = []
    for place in _entries(source):
        if place.is_dir() or place.suffix.lower() == ".zip":
            name = place.name if place.is_dir() else place.name[:-4]
            told = Person(name=name.replace("_", " "), login=name, email=name, sis_id=name, github=name)
            received.append(Received(place.name, (place,), (told,)))
        elif place.suffix.lower() != ".csv":
            remarks.append(f"not a submission: {place.name} is neither a folder nor a zip")
    return received


def _canvas(source: Path, remarks: list[str]) -> list[Received]:
    found: dict[tuple[str, int], list[Path]] = {}
    first: dict[tuple[str, int], re.Match[str]] = {}
    for place in _entries(source):
        match = _CANVAS.fullmatch(place.name)
        if match is None:
            if place.suffix.lower() != ".csv":
                remarks.append(f"not a submission: {place.name} is not named as Canvas names files")
            continue
        again = _AGAIN.search(match["file"])
        key = (match["user"], int(again[1]) if again else 0)
        found.setdefault(key, []).append(place)
        first.setdefault(key, match)
    received = []
    for (user, number), files in found.items():
        match = first[user, number]
        # Loose files and a zip beside them: the zip is the submission.
        zips = [file for file in files if file.suffix.lower() == ".zip"]
        label = zips[0].name if zips else f"{match['who']}_{user}" + (f"-{number}" if number else "")
        told = Person(name=match["who"], canvas_id=user)
        received.append(Received(label, tuple(zips[:1] or files), (told,), late=bool(match["late"]), attempt=number + 1))
        remarks += [f"not taken: {file.name}, beside {zips[0].name}" for file in files if zips and file != zips[0]]
    return received


def _moodle(source: Path, remarks: list[str]) -> list[Received]:
    received = []
    for place in _entries(source):
        match = _MOODLE.fullmatch(place.name)
        if match is None or not place.is_dir():
            if place.suffix.lower() != ".csv":
                remarks.append(f"not a submission: {place.name} is not named as Moodle names folders")
            continue
        received.append(Received(place.name, _inside(place), (Person(name=match["name"], moodle_id=match["participant"]),)))
    return received


def _inside(folder: Path) -> tuple[Path, ...]:
    # One zip in the folder is the submission; otherwise the folder itself.
    zips = [file for file in _entries(folder) if file.suffix.lower() == ".zip"]
    return (zips[0],) if len(zips) == 1 and not list(folder.glob("*.py")) else (folder,)


def _gradescope(source: Path, remarks: list[str]) -> list[Received]:
    file = source / METADATA
    try:
        if file.stat().st_size > LARGEST_METADATA:
            raise LabError(f"{file} has more than {LARGEST_METADATA} bytes; expected Gradescope's export.")
        document = yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise LabError(f"{file} cannot be read ({str(error).splitlines()[0]}); expected what Gradescope exports.") from error
    if not isinstance(document, dict):
        raise LabError(f"{file} does not map submissions to students; expected what Gradescope exports.")
    received = []
    for name, entry in document.items():
        place = source / str(name)
        if not place.is_dir() or Path(str(name)).name != str(name):
            remarks.append(f"not there: {METADATA} names {name}, which has no folder")
            continue
        entry = entry if isinstance(entry, dict) else {}
        submitters = [one for one in _of(entry, "submitters") or () if isinstance(one, dict)]
        told = tuple(
            Person(name=str(_of(one, "name") or ""), sis_id=str(_of(one, "sid") or ""), email=str(_of(one, "email") or ""))
            for one in submitters
        )
        time = _known(_time(_of(entry, "created_at")), str(name), f"{METADATA} for it", remarks)
        received.append(Received(str(name), _inside(place), told or (Person(name=str(name)),), time))
    listed = {one.label for one in received}
    extra = [place for place in _entries(source) if place.is_dir() and place.name not in listed]
    received += [Received(place.name, _inside(place), (Person(name=place.name),)) for place in extra]
    return received


def _of(mapping: dict[Any, Any], name: str) -> Any:
    # Ruby's symbols come as ":name".
    return mapping.get(f":{name}", mapping.get(name))


def _time(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", value.replace(" Z", "+00:00").replace(" UTC", "+00:00")))
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (OverflowError, ValueError):  # at the ends of the calendar
        return None


def _classroom(source: Path, remarks: list[str]) -> list[Received]:
    places = [place for place in _entries(source) if place.is_dir()]
    prefix = os.path.commonprefix([place.name for place in places])  # noqa: RUF071 - of names, letter by letter
    prefix = prefix[: prefix.rfind("-") + 1]
    received = []
    clones = [place for place in places if (place / ".git").is_dir()]
    times = dict(zip(clones, last_commits(clones), strict=True)) if clones else {}
    for place in places:
        login = place.name[len(prefix) :]
        time = None
        if place in times:
            time = _known(times[place], place.name, "its last commit", remarks)
        else:
            remarks.append(f"{place.name} is no clone: when it was handed in is not known")
        received.append(Received(place.name, (place,), (Person(name=login, login=login, github=login),), time))
    return received


def _known(time: datetime | None, label: str, source: str, remarks: list[str]) -> datetime | None:
    """The time, if it can be believed; otherwise the instructor is told, and no days are counted as late."""
    if believable(time):
        return time
    why = "cannot be read" if time is None else f"of {time:%Y-%m-%d} cannot be"
    remarks.append(f"time not known: {label}, the time of {source} {why}; no late days are counted, look at it yourself")
    return None


def _with_logins(received: list[Received], roster: Roster) -> list[Received]:
    # Only the roster tells where the assignment's name ends and a login with a hyphen begins.
    known = {person.github.casefold(): person.github for person in roster.people if person.github}
    fits = [_fitting(one.label.casefold(), known) for one in received]
    shared = Counter(name for found in fits for name in found)
    assignment = max(shared, key=lambda name: (shared[name], -len(name)), default="")
    changed = []
    for one, found in zip(received, fits, strict=True):
        # Where two clones agree on the name, another one is a stranger's whose login ends like a student's.
        found = {name: login for name, login in found.items() if name in ("", assignment) or shared[assignment] < 2}
        login = max(found.values(), key=len, default="")
        changed.append(replace(one, told=(Person(name=login, github=login),)) if login else one)
    return changed


def _fitting(label: str, known: Mapping[str, str]) -> dict[str, str]:
    """From the name that the assignment would have to the login that is left, for each login that a clone's name ends with."""
    exact = {"": known[label]} if label in known else {}
    return exact | {label.removesuffix(f"-{folded}"): login for folded, login in known.items() if label.endswith(f"-{folded}")}


def _harmless(one: Received) -> Received:
    # Names of files may hold bytes that are no text, which no store and no report takes; two of them stay two.
    told = tuple(replace(person, **{part.name: harmless(getattr(person, part.name)) for part in fields(Person)}) for person in one.told)
    return replace(one, label=harmless(one.label), told=told)


def _shown(remark: str) -> str:
    return remark if remark.isprintable() else harmless(remark)


def _match(one: Received, roster: Roster, remarks: list[str]) -> Received:
    students: dict[str, Person] = {}
    for told in one.told:
        found, why = roster.find(told) if roster.people else (told, "")
        if found is None:
            remarks.append(f"unknown: {one.label} is of {told.shown!r}, {why}; it is graded all the same")
            found = replace(told, handle=one.label)
        for member in roster.group(found) if found in roster.people else (found,):
            students[member.key] = member
    return replace(one, students=tuple(students.values()))


def _late_days(one: Received, due: datetime | None) -> int:
    if due is not None and one.submitted_at is not None:
        return max(0, math.ceil((one.submitted_at - due).total_seconds() / DAY_S))
    return 1 if one.late else 0


def _number(received: Sequence[Received], remarks: list[str]) -> list[Received]:
    # Attempts of the same students in order of time; without times, in the order that the download numbers them.
    groups: dict[tuple[str, ...], list[Received]] = {}
    for one in received:
        groups.setdefault(tuple(sorted(person.key for person in one.students)), []).append(one)
    numbered = []
    for group in groups.values():
        group.sort(key=lambda one: (one.submitted_at or datetime.min.replace(tzinfo=UTC), one.attempt, one.label))
        if len(group) > 1:
            who = ", ".join(person.shown for person in group[0].students)
            remarks.append(f"several: {who} handed in {len(group)} times ({', '.join(one.label for one in group)})")
        numbered += [replace(one, attempt=number) for number, one in enumerate(group, start=1)]
    return numbered
