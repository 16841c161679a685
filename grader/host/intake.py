"""Takes a submission: only the files that the lab expects, from a folder or a zip, into a folder of our own. The rest is reported."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import stat
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from grader.artifacts import FILES, MAX_TRACE_BYTES, MAX_TRACES, MAX_WEIGHTS_BYTES, TRACE_FOLDER, WEIGHTS_FILE
from grader.errors import SubmissionError
from grader.host import scratch
from grader.lab import FINDINGS_FILE, MODULE_FILES, RESULTS_FOLDER

MAX_SOURCE_BYTES: Final = 2**20
MAX_MEMBERS: Final = 20_000
MAX_DEPTH: Final = 4
MAX_ARCHIVE_BYTES: Final = 2**30
_MEMBER_BYTES: Final = 512
"""A generous line of a zip's list of members: 46 bytes, the name, what else a packer adds."""
_MEMBER_MARK: Final = b"PK\x01\x02"
"""What each line of that list begins with (APPNOTE 6.3.10, 4.3.12)."""
MAX_NOTES: Final = 12
MAX_NOTE: Final = 400
"""Characters of one note: a longer one is cut."""
_TRACE: Final = re.compile(rf"{RESULTS_FOLDER}/{TRACE_FOLDER}/[0-9A-Za-z_-]{{1,40}}\.xplane\.pb")
EXPECTED: Final[dict[str, int]] = {
    **dict.fromkeys(MODULE_FILES, MAX_SOURCE_BYTES),
    FINDINGS_FILE: MAX_SOURCE_BYTES,
    **{f"{RESULTS_FOLDER}/{name}": MAX_SOURCE_BYTES for name in FILES.values()},
    f"{RESULTS_FOLDER}/{WEIGHTS_FILE}": MAX_WEIGHTS_BYTES,
}
"""The files that are taken, relative to the submission's folder, with the most bytes each may have; traces come on top.

Findings, results and traces may be larger than those who read them allow (grader.artifacts), so that these can tell the student."""

MAX_TAKEN_TRACE: Final = MAX_TRACE_BYTES + MAX_SOURCE_BYTES
MAX_TAKEN_BYTES: Final = sum(EXPECTED.values()) + MAX_TRACES * MAX_TAKEN_TRACE
"""The most that is ever taken of a submission, about 120 MB: each file has a limit, and so has the number of traces."""

USUAL: Final = frozenset(("__init__.py", "README.md", "pictures", "wheats", "chaffs"))
"""What stands beside them in the folders of the handout and of the reference, and needs no remark."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A submission that was taken.

    Attributes:
        folder: Our own copy of the expected files.
        name: What the folder or zip was called, as `harmless` writes it.
        digest: SHA-256 over names and contents.
        notes: What was left out, one sentence each; at most `MAX_NOTES`, none longer than `MAX_NOTE`.
    """

    folder: Path
    name: str
    digest: str
    notes: tuple[str, ...]

    def __post_init__(self) -> None:
        """Keeps the notes few and short, wherever they come from."""
        notes = tuple(note if len(note) <= MAX_NOTE else f"{note[: MAX_NOTE - 3]}..." for note in self.notes)
        if len(notes) > MAX_NOTES:
            notes = (*notes[: MAX_NOTES - 1], f"And {len(notes) - MAX_NOTES + 1} more remarks of this kind.")
        object.__setattr__(self, "notes", notes)


def harmless(name: str) -> str:
    r"""Writes a file's name so that it can be shown and stored: text that is UTF-8, without control characters.

    Names that differ stay different, since the backslash that stands for a strange byte is doubled where a name has one of its own.

    Args:
        name: The name, as the system gives it.

    Returns:
        The same for usual names; `d\xffan` for one with a byte that is no UTF-8.
    """
    if name.isprintable() and "\\" not in name:
        return name
    raw = name.replace("\\", "\\\\").encode("utf-8", "surrogateescape" if os.name == "posix" else "surrogatepass")
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(f"\\x{ord(char):02x}" if unicodedata.category(char) == "Cc" else char for char in text)


@contextmanager
def take(path: Path) -> Iterator[Taken]:
    """Takes a submission for as long as the context lasts.

    Args:
        path: A folder or a zip. The expected files lie at its top or in one folder inside.

    Yields:
        The taken submission; its folder is removed at the end.

    Raises:
        SubmissionError: There is no such path, it is neither folder nor zip, or it holds none of the expected files.
    """
    target = Path(tempfile.mkdtemp(prefix="lab-taken-"))
    try:
        with ExitStack() as stack:
            taken = _take(path, target, stack)
        yield taken
    finally:
        shutil.rmtree(target, ignore_errors=True)


def _take(path: Path, target: Path, stack: ExitStack) -> Taken:
    if path.is_dir():
        names, read = _folder(path)
    elif path.is_file():
        names, read = _archive(path, stack)
    else:
        raise SubmissionError(f"Expected a folder or a zip with the lab's files, but {path} does not exist.")
    root = _root(names)
    if root is None:
        raise SubmissionError(
            f"{path} holds none of the lab's files ({', '.join(MODULE_FILES)}); "
            "give the folder or zip in which they lie, such as `assignment`."
        )
    notes: list[str] = []
    digest = hashlib.sha256()
    others: list[str] = []
    traces: list[str] = []
    for name in sorted(names):
        inside = name[len(root) :] if name.startswith(root) else None
        limit = None if inside is None else EXPECTED.get(inside)
        if inside is not None and _TRACE.fullmatch(inside):
            limit = MAX_TAKEN_TRACE
            traces.append(inside)
            if len(traces) > MAX_TRACES:
                continue
        if inside is None or limit is None:
            if PurePosixPath(inside or name).parts[0] not in USUAL and "__pycache__" not in name:
                others.append(inside or name)
            continue
        content = read(name, limit)
        if isinstance(content, str):
            notes.append(f"{inside} was left out: {content}.")
            continue
        digest.update(f"{inside}\0{len(content)}\0".encode())
        digest.update(content)
        destination = target / inside
        destination.parent.mkdir(parents=True, exist_ok=True)
        destination.write_bytes(content)
    if len(traces) > MAX_TRACES:
        notes.insert(
            0,
            f"{len(traces) - MAX_TRACES} traces were left out: {RESULTS_FOLDER}/{TRACE_FOLDER} holds {len(traces)}, three are asked for.",
        )
    if others:
        shown = ", ".join(repr(name)[1:-1][:60] for name in others[:3])
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        notes.insert(0, f"Only the lab's own files are graded; not taken: {shown}{more}.")
    return Taken(target, harmless(path.resolve().name.removesuffix(".zip")), digest.hexdigest(), tuple(notes))


def _root(names: list[str]) -> str | None:
    # The shallowest folder that holds one of the modules; the first by name where there are several.
    places = [name.removesuffix(PurePosixPath(name).name) for name in names if PurePosixPath(name).name in MODULE_FILES]
    return min(places, key=lambda place: (place.count("/"), place), default=None)


Read = Callable[[str, int], "bytes | str"]


def _folder(path: Path) -> tuple[list[str], Read]:
    names: list[str] = []
    seen = 0
    for folder, folders, files in os.walk(path, followlinks=False):
        relative = Path(folder).relative_to(path)
        folders[:] = [name for name in folders if not name.startswith(".")] if len(relative.parts) < MAX_DEPTH else []
        names += [(relative / name).as_posix() for name in files if not name.startswith(".")]
        seen += len(folders)
        if len(names) > MAX_MEMBERS or seen > MAX_MEMBERS:
            raise SubmissionError(f"{path} holds more than {MAX_MEMBERS} files; give the folder in which the lab's files lie.")

    def read(name: str, limit: int) -> bytes | str:
        try:
            return scratch.read(path / name, limit)
        except SubmissionError as error:
            return str(error)

    return names, read


class _Opening(io.BufferedReader):
    """A zip that is being opened: `zipfile` reads its list of members whole, wherever it finds the list, before anything can be counted.

    What it asks for here is held against the limits, so that nothing depends on how it finds the list.
    """

    opened = False

    def read(self, size: int | None = -1, /) -> bytes:
        """Reads as the class above does; a list of too many bytes or members is refused, before it is taken apart."""
        if self.opened:
            return super().read(size)
        most = MAX_MEMBERS * _MEMBER_BYTES
        content = super().read(most + 1 if size is None or not 0 <= size <= most else size)
        if len(content) > most:
            raise SubmissionError(f"{self.name} is too large a zip; expected what `lab submit` makes.")
        if content.count(_MEMBER_MARK) > MAX_MEMBERS:
            raise SubmissionError(f"{self.name} holds more than {MAX_MEMBERS} files; expected what `lab submit` makes.")
        return content


def _archive(path: Path, stack: ExitStack) -> tuple[list[str], Read]:
    try:
        file = stack.enter_context(_Opening(io.FileIO(path)))
        if os.fstat(file.fileno()).st_size > MAX_ARCHIVE_BYTES:
            raise SubmissionError(f"{path} is too large a zip; expected what `lab submit` makes.")
        archive = stack.enter_context(zipfile.ZipFile(file))
        members = archive.infolist()
        file.opened = True
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise SubmissionError(f"{path} is not a zip that can be opened ({error}); expected a folder or what `lab submit` makes.") from error
    if len(members) > MAX_MEMBERS:
        raise SubmissionError(f"{path} holds more than {MAX_MEMBERS} files; expected what `lab submit` makes.")
    by_name: dict[str, zipfile.ZipInfo] = {}
    twice: set[str] = set()
    for member in members:
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        if (
            not parts  # a damaged name may be empty, which is_dir cannot take
            or member.is_dir()
            or parts[0] == "/"
            or ".." in parts
            or ":" in parts[0]
            or parts[0] == "__MACOSX"
            or len(parts) > MAX_DEPTH
        ):
            continue
        name = "/".join(parts)
        if name in by_name:
            twice.add(name)
        by_name[name] = member

    def read(name: str, limit: int) -> bytes | str:
        member = by_name[name]
        if name in twice:
            return "the zip holds it twice"
        if stat.S_ISLNK(member.external_attr >> 16):
            return "it is a link"
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # Others may ask for gigabytes of memory before they give a byte.
            return "it is packed in another way than zips of courses are"
        try:
            with archive.open(member) as file:
                content = file.read(limit + 1)
        except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError, ValueError) as error:
            return f"it cannot be unpacked ({str(error)[:80]})"
        return content if len(content) <= limit else f"it has more than {limit} bytes"

    return list(by_name), read
