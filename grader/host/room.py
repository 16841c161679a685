"""A worker's room: its submission to read and its scratch folder, below a folder that only the grader can list."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from grader.host import scratch


@dataclass(frozen=True, slots=True)
class Room:
    """A worker's files, in a folder that nobody else is told of.

    Attributes:
        submission: The submission's files; a worker may read them.
        given: What a check writes for the submission to read; a worker may read it, so that it is not in the way of what comes later.
        scratch: A worker may read and write there.
    """

    submission: Path
    given: Path
    scratch: Path

    @classmethod
    def make(cls, rooms: Path) -> Room:
        """Makes an empty room below a launcher's folder."""
        top = Path(tempfile.mkdtemp(dir=rooms))
        room = cls(top / "submission", top / "given", top / "scratch")
        # A worker may run as another user; that it cannot find this folder by listing is the launcher's care.
        modes = ((top, 0o711), (room.submission, 0o755), (room.given, 0o755), (room.scratch, 0o777 if _is_root() else 0o700))
        for folder, mode in modes:
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)
        return room

    def fill(self, folder: Path) -> None:
        """Copies a submission's Python files into the room; a worker needs nothing else of it.

        Args:
            folder: The taken submission.
        """
        for file in folder.glob("*.py"):
            copy = self.submission / file.name
            shutil.copyfile(file, copy)
            copy.chmod(0o644)

    def remove(self) -> bool:
        """Removes the room and what was left in it, without an error where that fails: the launcher tries again when it closes.

        Returns:
            Whether it is gone.
        """
        return scratch.remove(self.submission.parent)


def make_rooms() -> Path:
    """A new folder for rooms, which others can pass through and not list."""
    folder = Path(tempfile.mkdtemp(prefix="lab-"))
    folder.chmod(0o711)
    return folder


def _is_root() -> bool:
    return os.name == "posix" and os.geteuid() == 0
