"""Turns on a core: checks run beside each other, and one that times something for real runs alone on its cores.

Two file locks for each core, which the system lets go of when their process ends, however it ends. All checks pass the gate of each core
that their process may run on, and then stay in its room: usual ones side by side, one that must be alone by itself. While it waits for
the room to empty it holds the gate, so that nobody new comes in before it. Graders that keep to cores of their own (`capacity.shares`) do
not wait for one another. All take the cores in the same order, so that no two wait for each other.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from grader.errors import SetupError

if sys.platform != "win32":
    import fcntl

FOLDER_VARIABLE: Final = "LAB_TURNS"
"""Environment variable that names another folder for the locks; all graders of a machine must use the same."""


@contextmanager
def machine_turn(*, alone: bool) -> Iterator[None]:
    """Waits for a turn on the cores that this process may run on, and keeps it for as long as the context lasts.

    Args:
        alone: Whether nobody else may have one on any of them at the same time.

    Raises:
        SetupError: The folder of the locks is another user's, or cannot be written.
    """
    if sys.platform == "win32":
        yield  # no such locks there
        return
    folder = _folder()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    with ExitStack() as rooms:
        for core in cores:
            # The gate is open again for the next as soon as the room is ours.
            with _locked(folder / f"gate-{core}", exclusive=True):
                rooms.enter_context(_locked(folder / f"room-{core}", exclusive=alone))
        yield


@contextmanager
def no_other(what: str) -> Iterator[None]:
    """Waits until no other grader of this user's on this machine does the same.

    Args:
        what: A word for it.

    Raises:
        SetupError: The folder of the locks is another user's, or cannot be written.
    """
    if sys.platform == "win32":
        yield
        return
    with _locked(_folder() / what, exclusive=True):
        yield


@contextmanager
def _locked(file: Path, *, exclusive: bool) -> Iterator[int]:
    assert sys.platform != "win32"
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield descriptor
    finally:
        os.close(descriptor)


def _folder() -> Path:
    folder = Path(os.environ.get(FOLDER_VARIABLE) or Path(tempfile.gettempdir()) / f"deep-learning-lab-turns-{os.getuid()}")
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700, parents=True)
        state = folder.lstat()
    except OSError as error:
        raise SetupError(f"The folder {folder} cannot be made ({error.strerror}); name another with ${FOLDER_VARIABLE}.") from error
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
        raise SetupError(f"{folder} belongs to another user; name another folder with ${FOLDER_VARIABLE}.")
    return folder
