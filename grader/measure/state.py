"""What was measured so far, kept step by step, so that an interrupted run continues and nothing measured is lost.

Each step's outcome lies in results/.state/<step>.json beside the identity of what it was made with: the source files it depends on, the
data, and the plan. A step is done when its identity is still the same. The files that are handed in are written from there.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from grader.errors import MeasureError

STATE_FOLDER: Final = ".state"
STATE_VERSION: Final = 1


class State:
    """The state of one submission's measurements.

    Args:
        results: The submission's results folder; it is made when something is written.
    """

    def __init__(self, results: Path) -> None:
        self._results = results
        self._folder = results / STATE_FOLDER

    def load(self, step: str, identity: str) -> Any | None:
        """The outcome of a step, if it was made with the same things; None otherwise, also when the file is damaged."""
        try:
            document = json.loads((self._folder / f"{step}.json").read_text(encoding="utf-8"))
            same = document["version"] == STATE_VERSION and document["identity"] == identity
            return document["outcome"] if same else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, step: str, identity: str, outcome: Any) -> None:
        """Keeps the outcome of a step.

        Raises:
            MeasureError: It cannot be written.
        """
        document = {"version": STATE_VERSION, "identity": identity, "outcome": outcome}
        write_whole(self._folder / f"{step}.json", json.dumps(document).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file so that it is whole or not there: to a temporary name first, then renamed.

    Args:
        path: The file; its folder is made.
        content: What to write.

    Raises:
        MeasureError: The disk is full or the folder cannot be written to. What was there before is still there.
    """
    temporary = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # the folder itself may be the problem, which is named below
            temporary.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise MeasureError(
                f"The disk is full: {path} could not be written. Free some space and run the same command; what was measured is kept."
            ) from error
        raise MeasureError(f"{path} cannot be written ({error.strerror}); mend that and run the same command, it continues.") from error


def identity(folder: Path, files: Iterable[str], *others: object) -> str:
    """A name for what a step is made with.

    Args:
        folder: The submission's folder.
        files: The source files that the step depends on.
        others: Anything else it depends on.

    Returns:
        A SHA-256 in hexadecimal.
    """
    digest = hashlib.sha256(repr(others).encode())
    for name in files:
        digest.update(f"\0{name}\0{source_digest(folder / name)}".encode())
    return digest.hexdigest()


def source_digest(path: Path) -> str:
    """SHA-256 of a file; empty where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
