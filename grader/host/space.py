"""What is left on the disk of the rooms, while a worker runs.

What a worker writes is added up in its scratch folder (`scratch.py`). A file that it has deleted and holds open is in no folder, and takes
its space all the same; how much that is shows in one place only: the space comes back when the worker ends.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

FLOOR_BYTES: Final = 2**30
"""So much is left free for everybody else on the machine: what two checks may write by the limits."""
COME_BACK_S: Final = 3.0
"""How long a file system may take to give back what a process held that was killed."""
LOOK_S: Final = 0.05


def free_bytes(folder: Path) -> int | None:
    """Space that is free for everybody on the file system of a folder.

    Args:
        folder: Any folder of it.

    Returns:
        The number of bytes; None where the system does not tell (Windows does not delete files that are open).
    """
    if not hasattr(os, "statvfs"):
        return None
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


class Space:
    """The space that was free when a check began, and what is free now.

    Args:
        folder: A folder on the file system.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._floor = min(FLOOR_BYTES, (free_bytes(folder) or 0) // 2)

    def is_short(self) -> bool:
        """Whether less than `FLOOR_BYTES` is free; where it was not much more from the start, less than half of that."""
        free = free_bytes(self._folder)
        return free is not None and free < self._floor

    def free(self) -> int:
        """Bytes that are free now."""
        return free_bytes(self._folder) or 0

    def comes_back(self, before: int, enough: int) -> int:
        """Waits until space comes back.

        Args:
            before: What was free.
            enough: How much more need not be waited for.

        Returns:
            How much more is free than before, `COME_BACK_S` later or as soon as it is more than `enough`.
        """
        end = time.monotonic() + COME_BACK_S
        while (more := self.free() - before) <= enough and time.monotonic() < end:
            time.sleep(LOOK_S)
        return more
