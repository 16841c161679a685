"""When each clone was handed in: the time of its last commit. Clones are read in a process of its own, which bounds what one may cost.

git itself would obey the clone's own configuration, which can name programs to run; dulwich only reads. But what it reads may be of any
size and shape, so the process has little memory and little time for each clone, and where it ends, the next one goes on behind that clone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

SECONDS: Final = 10
"""Time for one clone; a usual one takes some milliseconds."""
STARTING_S: Final = 60
"""Time for the process to start on a busy machine."""
MEMORY_BYTES: Final = 512 * 2**20
"""What the process may hold in memory of its own; files that are mapped do not count."""
MAX_COMMIT_BYTES: Final = 2**20
"""A commit is a few hundred bytes and its message."""
MAX_ANSWER: Final = 20
"""Digits of a time; one of 64 bits has 19."""

FIRST: Final = datetime(2005, 4, 7, tzinfo=UTC)
"""The first commit of git's own history: no clone has an older one."""
AHEAD: Final = timedelta(days=1)
"""How far a clock may go wrong."""


def believable(time: datetime | None, now: datetime | None = None) -> bool:
    """Whether something can have been handed in then.

    Args:
        time: When, if that could be read at all.
        now: The time now, by default the system's.

    Returns:
        Whether the time is known, not before git's own first commit, and not in the future.
    """
    return time is not None and FIRST <= time <= (now or datetime.now(UTC)) + AHEAD


def last_commits(places: Sequence[Path]) -> list[datetime | None]:
    """Reads when the last commit of each clone was made.

    Args:
        places: Folders of clones.

    Returns:
        For each its time; None where it cannot be read, whatever the reason.
    """
    answers: list[str] = []
    while len(answers) < len(places):
        left = places[len(answers) :]
        told = _ask(left)
        answers += told if len(told) >= len(left) else [*told, ""]
    return [_time(answer) for answer in answers]


def _ask(places: Sequence[Path]) -> list[str]:
    # Answers as far as the process came, at most one for each place.
    asked = b"\0".join(os.fsencode(os.path.abspath(place)) for place in places)
    command = [sys.executable, "-P", "-c", "from grader.batch.clones import _main; _main()"]
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])}
    try:
        done = subprocess.run(
            command,
            input=asked,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=STARTING_S + SECONDS * len(places),
            check=False,
        )
        told = done.stdout
    except subprocess.TimeoutExpired as error:
        told = error.stdout or b""
    return told.decode("ascii", "replace").split("\n")[:-1][: len(places)]


def _time(answer: str) -> datetime | None:
    if not answer.isdecimal() or len(answer) > MAX_ANSWER:
        return None
    try:
        return datetime.fromtimestamp(int(answer), UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _main() -> None:
    """The process: places on standard input, parted by zeros; a line for each, the seconds since 1970 or nothing."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    alarm = getattr(signal, "alarm", lambda seconds: seconds)  # ends this process when it rings; Windows has none
    for place in sys.stdin.buffer.read().split(b"\0"):
        alarm(SECONDS)
        try:
            answer = str(_seconds(Path(os.fsdecode(place))))
        except Exception:
            answer = ""
        alarm(0)
        print(answer[: MAX_ANSWER + 1], flush=True)


def _seconds(place: Path) -> int:
    from dulwich.objects import Commit
    from dulwich.repo import Repo

    with Repo(str(place)) as repository:
        name = repository.head()
        loose = place / ".git" / "objects" / name[:2].decode("ascii") / name[2:].decode("ascii")
        if loose.is_file():
            _require_small(loose)
        commit = repository[name]
        if not isinstance(commit, Commit):
            raise ValueError("the last commit is none")
        return int(commit.commit_time)


def _require_small(loose: Path) -> None:
    """Reads only how large an object says that it is, "commit 231" and a zero; dulwich would unpack it whole."""
    with loose.open("rb") as file:
        start = zlib.decompressobj().decompress(file.read(4096), 64)
    kind, _, size = start.partition(b"\0")[0].partition(b" ")
    if kind != b"commit" or int(size) > MAX_COMMIT_BYTES or loose.stat().st_size > MAX_COMMIT_BYTES:
        raise ValueError("the last commit is too large, or none")
