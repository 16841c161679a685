"""A worker's scratch folder, seen from the trusted side: nothing in it is what it says it is."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from enum import Enum
from pathlib import Path

from grader.channel.limits import Limits
from grader.errors import SubmissionError


class Usage(Enum):
    """How full a scratch folder is."""

    FINE = "fine"
    BYTES = "too many bytes"
    FILES = "too many files"


def usage(folder: Path, limits: Limits) -> Usage:
    """Adds up what lies in a scratch folder, until a limit is passed. No link is followed.

    Args:
        folder: The scratch folder.
        limits: `scratch_bytes` and `scratch_files` count.

    Returns:
        Which limit is passed, if any.
    """
    files = total = 0
    folders = [os.fspath(folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as found:
                for entry in found:
                    files += 1
                    try:
                        state = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue  # gone again
                    # A file with holes has a length that it does not take.
                    total += getattr(state, "st_blocks", state.st_size // 512) * 512
                    if files > limits.scratch_files:
                        return Usage.FILES
                    if total > limits.scratch_bytes:
                        return Usage.BYTES
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
        except OSError:
            continue
    return Usage.FINE


def empty(folder: Path) -> None:
    """Removes all that lies in a scratch folder; nobody may be at work there. What cannot be removed is left.

    Args:
        folder: The scratch folder, which stays.
    """
    with os.scandir(folder) as found:
        for entry in found:
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
