"""A worker's scratch folder, seen from the trusted side: nothing in it is what it says it is.

Folders are gone through by descriptors, one name at a time, and never by recursion: neither their depth nor the length of a path matters,
and no link is followed.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import secrets
import shutil
import stat
from collections.abc import Generator
from enum import Enum
from pathlib import Path
from typing import Final, NamedTuple

from grader.channel.limits import Limits
from grader.errors import SubmissionError

MOST_LEVELS: Final = 100
"""Folders in folders that a scratch folder may have: the reference makes 4 (a profiler's trace), and each costs a descriptor while it is
looked at."""

_BY_DESCRIPTOR: Final = os.open in os.supports_dir_fd and os.scandir in os.supports_fd
"""Not on Windows."""
_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_GONE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""What opening a folder says that is gone, or something else by now."""
_OURS: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""What it says when this side or the machine has no more descriptors or memory."""


class Usage(Enum):
    """How full a scratch folder is."""

    FINE = "fine"
    BYTES = "too many bytes"
    FILES = "too many files"
    HIDDEN = "folders that cannot be looked into, or are too deep"


class Measured(NamedTuple):
    """What a look at a scratch folder found.

    Attributes:
        usage: Which limit is passed, if any.
        total: Bytes that were seen until then.
    """

    usage: Usage
    total: int


def measure(folder: Path, limits: Limits) -> Measured:
    """Adds up what lies in a scratch folder, until a limit is passed. No link is followed.

    Args:
        folder: The scratch folder.
        limits: `scratch_bytes` and `scratch_files` count.

    Returns:
        Which limit is passed, if any, and how much was seen. A folder that cannot be read, or lies too deep, could hold anything: that
        passes a limit, too.
    """
    files = total = 0
    try:
        with contextlib.closing(_walk(folder) if _BY_DESCRIPTOR else _walk_by_names(folder)) as found:
            for state in found:
                files += 1
                # A file with holes has a length that it does not take.
                total += getattr(state, "st_blocks", state.st_size // 512) * 512
                if files > limits.scratch_files:
                    return Measured(Usage.FILES, total)
                if total > limits.scratch_bytes:
                    return Measured(Usage.BYTES, total)
    except _Hidden:
        return Measured(Usage.HIDDEN, total)
    except OSError:
        pass  # this side has no more descriptors, say; there is another look in a moment
    return Measured(Usage.FINE, total)


def usage(folder: Path, limits: Limits) -> Usage:
    """Which limit a scratch folder passes, if any: `measure` without the number.

    Args:
        folder: The scratch folder.
        limits: `scratch_bytes` and `scratch_files` count.

    Returns:
        The limit.
    """
    return measure(folder, limits).usage


class _Hidden(Exception):
    pass


def _walk(folder: Path) -> Generator[os.stat_result]:
    levels = [(os.open(folder, _FOLDER), list[str]())]
    fresh = True
    try:
        while levels:
            descriptor, inner = levels[-1]
            if fresh:
                with os.scandir(descriptor) as found:
                    for entry in found:
                        try:
                            state = entry.stat(follow_symlinks=False)
                        except OSError as error:
                            if error.errno in _GONE:
                                continue
                            raise _Hidden from error
                        if stat.S_ISDIR(state.st_mode):
                            inner.append(entry.name)
                        yield state
            fresh = bool(inner)
            if not inner:
                os.close(levels.pop()[0])
                continue
            if len(levels) > MOST_LEVELS:
                raise _Hidden
            try:
                levels.append((os.open(inner.pop(), _FOLDER, dir_fd=descriptor), []))
            except OSError as error:
                if error.errno in _OURS:
                    raise
                if error.errno not in _GONE:
                    raise _Hidden from error
                fresh = False
    finally:
        for descriptor, _ in levels:
            os.close(descriptor)


def _walk_by_names(folder: Path) -> Generator[os.stat_result]:
    left = [os.fspath(folder)]
    while left:
        try:
            with os.scandir(left.pop()) as found:
                entries = list(found)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _Hidden from error
        for entry in entries:
            with contextlib.suppress(OSError):
                yield entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)


def empty(folder: Path) -> bool:
    """Removes all that lies in a folder of a worker's; nobody may be at work there. What cannot be removed is left: no error comes of it.

    Args:
        folder: The folder, which stays.

    Returns:
        Whether nothing is left.
    """
    with contextlib.suppress(OSError, RecursionError):
        if not _BY_DESCRIPTOR:
            _empty_by_names(folder)
        else:
            descriptor = os.open(folder, _FOLDER)
            try:
                _empty(descriptor)
            finally:
                os.close(descriptor)
        return not os.listdir(folder)
    return False


def remove(folder: Path) -> bool:
    """Removes a folder of a worker's with all that lies in it, as `empty` does.

    Args:
        folder: The folder.

    Returns:
        Whether it is gone.
    """
    empty(folder)
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    return not os.path.lexists(folder)


def _empty(top: int) -> None:
    # What is deeper is moved up, level by level: never are more than two folders open, however deep they lie.
    mark, numbers, moved = secrets.token_hex(8), itertools.count(), True
    while moved:
        moved = False
        for name in _clear_of_files(top):
            try:
                inner = _open(name, top)
            except OSError:
                continue
            try:
                with contextlib.suppress(OSError):
                    os.fchmod(inner, 0o700)  # without these rights nothing in it can be removed
                for deeper in _clear_of_files(inner):
                    moved |= _rename(deeper, inner, f"{mark}-{next(numbers)}", top)
            finally:
                os.close(inner)
            with contextlib.suppress(OSError):
                os.rmdir(name, dir_fd=top)


def _clear_of_files(descriptor: int) -> list[str]:
    folders = []
    with os.scandir(descriptor) as found:
        entries = list(found)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            folders.append(entry.name)
        else:
            with contextlib.suppress(OSError):
                os.unlink(entry.name, dir_fd=descriptor)
    return folders


def _open(name: str, inside: int) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=inside)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=inside)
        return os.open(name, _FOLDER, dir_fd=inside)


def _rename(name: str, inside: int, new: str, top: int) -> bool:
    with contextlib.suppress(OSError):
        try:
            os.rename(name, new, src_dir_fd=inside, dst_dir_fd=top)
        except PermissionError:  # a folder has to be writable itself to get another parent
            os.chmod(name, 0o700, dir_fd=inside)
            os.rename(name, new, src_dir_fd=inside, dst_dir_fd=top)
        return True
    return False


def _empty_by_names(folder: Path) -> None:
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(entry.path)


def read(file: Path, limit: int) -> bytes:
    """Reads a plain file that somebody else may have put there: no link is followed, no pipe is waited for.

    Args:
        file: The file.
        limit: Most bytes it may have.

    Returns:
        Its content.

    Raises:
        SubmissionError: It is something else than a plain file, is too large, or cannot be read; the text says which, one clause.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(file, flags)
    except OSError as error:
        raise SubmissionError("it is a link" if file.is_symlink() else f"it cannot be read ({error.strerror})") from error
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SubmissionError("it is not a plain file")
        content = opened.read(limit + 1)
    if len(content) > limit:
        raise SubmissionError(f"it has more than {limit} bytes")
    return content
