"""Unpacks a zip archive that nobody vouches for.

Every entry is judged before the first byte is written: names that leave the folder, links and other special files, names given twice, and
archives that would unpack to more files or bytes than agreed are refused whole. `zipfile` never yields more bytes of an entry than its
header declares, so what was judged is what is written.
"""

import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from grader.errors import FetchError


class Limits(NamedTuple):
    """How large an archive may be when unpacked.

    Attributes:
        entries: files and folders.
        file_bytes: of one file.
        total_bytes: of all files.
    """

    entries: int = 200_000
    file_bytes: int = 32 * 2**20
    total_bytes: int = 2**30


TINY_IMAGENET = Limits()
"""Tiny ImageNet has 120,000 pictures of about 2 kB; words.txt, its largest file, is below 3 MB."""


def _shown(name: str) -> str:
    """A name of somebody else's choosing, made harmless for a message."""
    return ascii(name[:80])


def _judged(entry: zipfile.ZipInfo, limits: Limits) -> PurePosixPath:
    """The path of an entry, if it may be unpacked.

    Raises:
        FetchError: it may not.
    """
    name = entry.filename
    parts = name.rstrip("/").split("/")
    # orig_filename: zipfile itself cuts a name at a zero byte.
    if "\\" in entry.orig_filename or ":" in name or "\0" in entry.orig_filename or any(part in ("", ".", "..") for part in parts):
        raise FetchError(f"The archive is refused: its entry {_shown(entry.orig_filename)} would lie outside the data folder.")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise FetchError(f"The archive is refused: its entry {_shown(name)} is a link or a special file, expected files and folders only.")
    if entry.flag_bits & 1:
        raise FetchError(f"The archive is refused: its entry {_shown(name)} is encrypted.")
    if entry.file_size > limits.file_bytes:
        raise FetchError(
            f"The archive is refused: its entry {_shown(name)} unpacks to {entry.file_size} bytes, expected at most {limits.file_bytes}."
        )
    return PurePosixPath(*parts)


def _plan(archive: zipfile.ZipFile, limits: Limits) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """Every entry with its path, after judging all of them."""
    entries = archive.infolist()
    if len(entries) > limits.entries:
        raise FetchError(f"The archive is refused: it has {len(entries)} entries, expected at most {limits.entries}.")
    total = sum(entry.file_size for entry in entries)
    if total > limits.total_bytes:
        raise FetchError(f"The archive is refused: it unpacks to {total} bytes, expected at most {limits.total_bytes}.")
    plan = [(entry, _judged(entry, limits)) for entry in entries]
    seen: set[str] = set()
    for _, path in plan:
        folded = str(path).casefold()  # some file systems do not tell upper case from lower
        if folded in seen:
            raise FetchError(f"The archive is refused: its entry {_shown(str(path))} is there twice.")
        seen.add(folded)
    return plan


def unpack(archive: Path, folder: Path, *, limits: Limits = TINY_IMAGENET, progress: Callable[[int, int], object] | None = None) -> None:
    """Unpacks a zip archive into a new folder; after an error the folder is not there.

    Args:
        archive: the zip file.
        folder: made here; must not be there yet.
        limits: how large the archive may be.
        progress: called with (entries written, entries in all).

    Raises:
        FetchError: the archive is cut short, damaged or hostile.
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            plan = _plan(opened, limits)
            for number, (entry, path) in enumerate(plan, start=1):
                target = folder.joinpath(*path.parts)
                if entry.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(entry) as source, target.open("xb") as sink:
                    shutil.copyfileobj(source, sink)
                if progress is not None and (number % 1000 == 0 or number == len(plan)):
                    progress(number, len(plan))
    except BaseException as problem:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(problem, zipfile.BadZipFile | zlib.error | EOFError | NotImplementedError | RuntimeError | UnicodeError):
            raise FetchError(
                f"The archive {archive.name} is damaged or cut short ({type(problem).__name__}): expected a whole zip file; fetch it again."
            ) from problem
        if isinstance(problem, FileExistsError | NotADirectoryError):
            raise FetchError("The archive is refused: one of its entries is both a file and a folder.") from problem
        raise
