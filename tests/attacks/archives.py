"""Attacks by the form of a submission: archives and folders. Each returns what it won, or nothing."""

from __future__ import annotations

import os
import stat
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from grader.errors import SubmissionError
from grader.host.intake import MAX_SOURCE_BYTES, take

SOURCE = b"x = 1\n"
OUTSIDE = "lab-attack-outside"


def _taken(path: Path) -> dict[str, bytes]:
    try:
        with take(path) as taken:
            return {file.relative_to(taken.folder).as_posix(): file.read_bytes() for file in taken.folder.rglob("*") if file.is_file()}
    except SubmissionError:
        return {}


def _archive(members: list[tuple[zipfile.ZipInfo | str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> str:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "inner", "submission.zip")
        path.parent.mkdir()
        with zipfile.ZipFile(path, "w", method) as made:
            made.writestr("data.py", SOURCE)
            for member, content in members:
                made.writestr(member, content)
        found = _taken(path)
        outside = [file for file in Path(place).rglob("*") if OUTSIDE in file.name] + list(Path(tempfile.gettempdir()).glob(f"{OUTSIDE}*"))
        if outside:
            return f"{outside[0]} was written"
        odd = {name: content for name, content in found.items() if name != "data.py" or content != SOURCE}
        return f"{next(iter(odd))} was taken" if odd else ""


def _zip_slip() -> str:
    names = (
        f"../{OUTSIDE}.py",
        f"/tmp/{OUTSIDE}.py",
        f"a/../../{OUTSIDE}.py",
        f"..\\{OUTSIDE}.py",
        f"C:\\{OUTSIDE}.py",
        "../data.py/../../model.py",
    )
    return _archive([(name, b"evil") for name in names])


def _linked(kind: int, content: bytes) -> str:
    member = zipfile.ZipInfo("model.py")
    member.external_attr = (kind | 0o644) << 16
    return _archive([(member, content)])


def _bomb() -> str:
    return _archive([("model.py", bytes(MAX_SOURCE_BYTES * 40)), ("nested.zip", bytes(10**6))])


def _twice() -> str:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _archive([("model.py", b"first"), ("model.py", b"second")])


def _many() -> str:
    return _archive([(f"{number}.txt", b"") for number in range(30_000)], zipfile.ZIP_STORED)


def _folder(lay_out: Callable[[Path, Path], None]) -> str:
    with tempfile.TemporaryDirectory() as place:
        outside, folder = Path(place, "outside"), Path(place, "submission")
        outside.write_bytes(b"of the grader's user")
        folder.mkdir()
        (folder / "data.py").write_bytes(SOURCE)
        lay_out(folder, outside)
        found = _taken(folder)
        odd = {name: content for name, content in found.items() if name != "data.py"}
        return f"{next(iter(odd))} was taken" if odd else ""


def _devices(folder: Path, outside: Path) -> None:
    os.mkfifo(folder / "model.py")
    if os.geteuid() == 0:
        os.mknod(folder / "timing.py", stat.S_IFCHR | 0o666, os.makedev(1, 5))


def _hard_link() -> str:
    # A hard link gives the submitter nothing that could not be copied: it needs a file that the submitter's own user owns. In an archive
    # it would be a name of another file, and those have no such form in a zip.
    return _linked(stat.S_IFREG | 0o1000, b"") and ""


ARCHIVES: list[tuple[str, str, Callable[[], str]]] = [
    ("zip-slip", "names that leave the folder", _zip_slip),
    ("symlinks", "a link in a zip", lambda: _linked(stat.S_IFLNK, b"/etc/passwd")),
    ("symlinks", "a link in a folder", lambda: _folder(lambda folder, outside: (folder / "model.py").symlink_to(outside))),
    ("symlinks", "a folder that is a link", lambda: _folder(lambda folder, outside: (folder / "results").symlink_to("/etc"))),
    ("hard links", "pipes and devices in a folder, and other kinds of members", lambda: _folder(_devices) or _hard_link()),
    ("bombs", "a megabyte that unpacks to much more", _bomb),
    ("bombs", "thousands of files", _many),
    ("duplicate names", "one name, two contents", _twice),
]
