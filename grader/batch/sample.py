"""A class to try things on, in any course system's layout: made from the wheats, the chaffs, the stubs, and submissions that misbehave.

Its roster has what goes wrong in real ones: the same name twice, commas, quotes, accents, leading zeros, a formula as a name.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import yaml

from grader.bank import Entry, assemble, entries, write_reference
from grader.batch.intake import LAYOUTS, METADATA, read_class
from grader.batch.job import pack
from grader.batch.roster import Person, Roster, squash
from grader.errors import LabError
from grader.lab import FINDINGS_FILE, MODULE_FILES

DUE: Final = datetime(2026, 10, 1, 23, 59, tzinfo=UTC)
LEAST: Final = 24

_NAMES: Final = (
    "Ada Lovelace", "Alan Turing", "Grace Hopper", "José Muñoz", "Zoë O'Brien", "Kim Lee", "Kim Lee", "Łukasz Żółć", "Doe, Jane",
    'Robert "Bob" Tables', "=SUM(A1:A9)", "Nguyễn Văn An", "Anna-Lena Groß", "Mary Ann Smith", "Søren Ångström", "Wei Zhang", "Li Wang",
    "Ivan Petrov", "Fatima Zahra", "Olu Adeyemi", "Maria Rossi", "Jean Dupont", "Hiro Tanaka", "Eva Novak", "Paul Erdos", "Emmy Noether",
    "Kurt Godel", "Rosa Luxemburg", "Max Planck", "Lise Meitner",
)  # fmt: skip

HOSTILE: Final = {
    "hangs": ("training.py", "def epochs_needed(val_accuracies, tolerance):\n    while True:\n        pass\n"),
    "leaves": ("model.py", "import os\ndef conv_output_size(size, kernel, stride=1):\n    os._exit(0)\n"),
    "eats_memory": ("data.py", "def wilson_interval(correct, total, z=1.96):\n    return bytearray(2 ** 36)\n"),
    "writes_elsewhere": (
        "data.py",
        "open('/etc/lab-was-here', 'w')\ndef wilson_interval(correct, total, z=1.96):\n    return (0.0, 1.0)\n",
    ),
    "floods": ("timing.py", "def time_online(predict, images, **_):\n    while True:\n        print('=' * 1000)\n"),
}
"""What a submission may try: its file, and source that comes after that of the reference."""


@dataclass(frozen=True, slots=True)
class SampleClass:
    """What was written.

    Attributes:
        source: The download's folder.
        roster: The roster's file.
        submissions: How many were handed in.
        students: How many are on the roster.
        due: When it was due.
    """

    source: Path
    roster: Path
    submissions: int
    students: int
    due: datetime = DUE


@dataclass(frozen=True, slots=True)
class _Handed:
    person: Person
    number: int
    folder: Path
    at: datetime
    again: int = 0
    partners: tuple[Person, ...] = ()


def write_class(folder: Path, layout: str, solutions: Path, *, students: int = LEAST) -> SampleClass:
    """Writes a class.

    Args:
        folder: Where to; `download/` and `roster.csv` come into it.
        layout: One of `LAYOUTS`.
        solutions: The folder of the reference, with wheats and chaffs.
        students: How many submissions at least.

    Returns:
        What was written.

    Raises:
        LabError: The folder is there already, there is no such layout, or the reference is not there.
    """
    if layout not in LAYOUTS:
        raise LabError(f"There is no layout {layout!r}; expected one of {', '.join(LAYOUTS)}.")
    if folder.exists():
        raise LabError(f"{folder} is there already; give a folder that is not.")
    if not (solutions / MODULE_FILES[0]).is_file():
        raise LabError(f"{solutions} does not hold the reference solutions; name their folder with --solutions.")
    count = max(students, LEAST)
    people = [_person(number) for number in range(count + 2)]
    source = folder / "download"
    source.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="lab-class-") as work:
        handed = _handed(people[:count], solutions, Path(work))
        _WRITERS[layout](source, handed)
    with (folder / "roster.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "login", "email", "sis_id", "canvas_id", "github", "section", "group", "identifier"])
        # One who handed in is not on the roster, two who are on it did not hand in.
        for person in people[: count - 1] + people[count:]:
            writer.writerow(
                [
                    person.name,
                    person.login,
                    person.email,
                    person.sis_id,
                    person.canvas_id,
                    person.github,
                    person.section,
                    person.group,
                    f"Participant {person.moodle_id}",
                ]
            )
    there = len(read_class(source, Roster(), layout=layout).submissions)
    return SampleClass(source, folder / "roster.csv", there, len(people) - 1)


def _person(number: int) -> Person:
    name = _NAMES[number] if number < len(_NAMES) else f"Student Number{number}"
    login = f"s{number:03}"
    section = f"CPRE487-{1 + number % 2}"
    return Person(
        name,
        login,
        f"{login}@example.edu",
        f"00{1000 + number}",
        str(90000 + number),
        f"{login}-hub",
        section,
        moodle_id=str(500000 + number),
    )


def _handed(people: list[Person], solutions: Path, work: Path) -> list[_Handed]:
    makers = _makers(solutions)
    made: list[_Handed] = []
    for number, person in enumerate(people):
        folder = work / f"{number}"
        makers[number % len(makers)](folder)
        if number >= len(makers) and folder.is_dir() and (folder / "data.py").is_file():
            # Varied copies: each is another content.
            with (folder / "data.py").open("a", encoding="utf-8") as file:
                file.write(f"\n# {person.login}\n")
        late = timedelta(days=1, hours=2) if number % 8 == 3 else timedelta(days=-1)
        made.append(_Handed(person, number, folder, DUE + late))
    # The second one handed in before what counts: the stubs.
    first = work / "first"
    _stubs(solutions)(first)
    made[1:1] = [_Handed(people[1], len(people), first, DUE - timedelta(days=3))]
    made[2] = _Handed(people[1], 1, made[2].folder, made[2].at, again=1)
    return made


Maker = Callable[[Path], None]


def _makers(solutions: Path) -> list[Maker]:
    chaffs = [entry for entry in entries(solutions / "chaffs") if entry.mistake is not None][:9]
    wheats = entries(solutions / "wheats")[:3]
    made: list[Maker] = [_entry(entry, solutions) for entry in (*wheats, *chaffs)]
    made.insert(0, lambda folder: _reference(solutions, folder))
    made.insert(4, lambda folder: _reference(solutions, folder))  # the same files as another student's
    made += [_hostile(solutions, *HOSTILE[name]) for name in HOSTILE]
    made += [_stubs(solutions), _broken(solutions), _nothing, _no_zip, _partly(solutions)]
    return made


def _reference(solutions: Path, folder: Path) -> None:
    write_reference(solutions, folder)
    if (solutions / "results").is_dir():
        shutil.copytree(solutions / "results", folder / "results", ignore=shutil.ignore_patterns(".*"))


def _entry(entry: Entry, solutions: Path) -> Maker:

    def make(folder: Path) -> None:
        assemble(entry, solutions, folder)

    return make


def _hostile(solutions: Path, name: str, source: str) -> Maker:
    def make(folder: Path) -> None:
        _reference(solutions, folder)
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write("\n\n" + source)

    return make


def _stubs(solutions: Path) -> Maker:
    def make(folder: Path) -> None:
        from grader.stubs import write_stubs

        write_stubs(solutions, folder)
        shutil.copyfile(solutions / FINDINGS_FILE, folder / FINDINGS_FILE)

    return make


def _broken(solutions: Path) -> Maker:
    def make(folder: Path) -> None:
        _reference(solutions, folder)
        (folder / "model.py").write_text("def build_model(:\n", encoding="utf-8")

    return make


def _partly(solutions: Path) -> Maker:
    def make(folder: Path) -> None:
        _reference(solutions, folder)
        for name in MODULE_FILES[2:]:
            (folder / name).unlink()

    return make


def _nothing(folder: Path) -> None:
    folder.mkdir()
    (folder / "essay.txt").write_text("The dog ate it.\n", encoding="utf-8")


def _no_zip(folder: Path) -> None:
    folder.with_suffix(".zip").write_bytes(b"Rar!\x1a\x07 this is no zip")


def _zip(one: _Handed, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if one.folder.is_dir():
        target.write_bytes(pack(one.folder))
    else:
        shutil.copyfile(one.folder.with_suffix(".zip"), target)


def _as_folder(source: Path, handed: list[_Handed]) -> None:
    for one in handed:
        # One folder holds one submission of each student: the one that counts.
        name = one.person.login if not _is_first(one, handed) else None
        if name is None:
            continue
        if one.number % 2 and one.folder.is_dir():
            shutil.copytree(one.folder, source / name)
        else:
            _zip(one, source / f"{name}.zip")


def _is_first(one: _Handed, handed: list[_Handed]) -> bool:
    return any(other.person == one.person and other.again > one.again for other in handed)


def _as_canvas(source: Path, handed: list[_Handed]) -> None:
    for one in handed:
        last, comma, first = one.person.name.partition(",")
        words = one.person.name.split()
        name = squash(last + first) if comma else squash(words[-1] + "".join(words[:-1]))
        late = "LATE_" if one.at > DUE else ""
        head = f"{name or 'student'}_{late}{one.person.canvas_id}_{700000 + one.number}_"
        again = f"-{one.again}" if one.again else ""
        if one.number % 5 == 2 and one.folder.is_dir() and not (one.folder / "results").is_dir():
            for file in one.folder.iterdir():
                if file.is_file():
                    shutil.copyfile(file, source / f"{head}{file.stem}{again}{file.suffix}")
        else:
            _zip(one, source / f"{head}lab{again}.zip")


def _as_moodle(source: Path, handed: list[_Handed]) -> None:
    for one in handed:
        if _is_first(one, handed):
            continue
        name = one.person.name.replace("/", " ")
        _zip(one, source / f"{name}_{500000 + one.number}_assignsubmission_file" / "lab.zip")


def _as_gradescope(source: Path, handed: list[_Handed]) -> None:
    document = {}
    for one in handed:
        name = f"submission_{300000 + one.number}"
        if one.folder.is_dir():
            shutil.copytree(one.folder, source / name)
        else:
            _zip(one, source / name / "lab.zip")
        submitters = [{":name": one.person.name, ":sid": one.person.sis_id, ":email": one.person.email}]
        document[name] = {":submitters": submitters, ":created_at": one.at, ":score": 0.0, ":status": "processed"}
    (source / METADATA).write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")


def _as_classroom(source: Path, handed: list[_Handed]) -> None:
    for one in handed:
        target = source / f"lab1-{one.person.github}"
        if one.folder.is_dir():
            shutil.copytree(one.folder, target / "assignment", dirs_exist_ok=True)
        else:
            _zip(one, target / "lab.zip")
        _commit(target, one.at)


def _commit(target: Path, at: datetime) -> None:
    stamp = at.isoformat()
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "GIT_AUTHOR_DATE": stamp,
        "GIT_COMMITTER_DATE": stamp,
        "HOME": str(target),
        **who,
    }
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "--allow-empty", "-m", "hand in"]):
        subprocess.run(["git", *command], cwd=target, env=environment, check=True)


_WRITERS: Final[dict[str, Callable[[Path, list[_Handed]], None]]] = {
    "folder": _as_folder,
    "canvas": _as_canvas,
    "moodle": _as_moodle,
    "gradescope": _as_gradescope,
    "classroom": _as_classroom,
}
