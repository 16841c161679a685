"""What one worker may use: the one place where limits are set.

Values are for the machine class the lab is meant for (2 cores, 8 GiB and up). Wall-clock time grows where there are fewer cores than two.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Final

from grader import capacity
from grader.channel.limits import Limits
from grader.errors import SetupError

CHECK: Final = Limits(
    wall_s=20.0,
    cpu_s=60,
    memory_bytes=6 * 2**30,
    file_bytes=256 * 2**20,
    scratch_bytes=512 * 2**20,
    scratch_files=20_000,
    threads=0,
)
"""For one check. The slowest check of the reference takes under 5 s on 2 cores; memory is address space, of which TensorFlow
reserves more than it touches (measured: 2 GiB is enough, 1 GiB is not)."""

MEASURE: Final = Limits(
    wall_s=4 * 3600.0,
    cpu_s=40 * 3600,
    memory_bytes=(64 + (os.cpu_count() or 1)) * 2**30,
    file_bytes=4 * 2**30,
    scratch_bytes=64 * 2**30,
    scratch_files=10_000_000,
    threads=0,
)
"""For `lab measure`: a person's own run on their own machine, bounded only so that it ends; the more cores, the more address space do
TensorFlow's threads reserve (measured: 28 GiB where there are 64)."""

MOST_THREADS: Final = 4
"""TensorFlow gets no more threads than that for a check, however many cores there are: so a check takes about the same memory everywhere,
and its sums are added up in about the same way."""

CORE_BYTES: Final = 64 * 2**20
"""Address space for each core beyond `MOST_THREADS`: pools of tf.data have a thread for each core all the same, of 8 MiB each, and several
such pools live at once."""

TASKS: Final = 1024 + 64 * (os.cpu_count() or 1)
"""Threads that a worker's user may have beyond those that run when the zygote starts. TensorFlow starts a few for each core; many
workers share one user."""

CROWDED: Final = 8.0
"""On a busy machine a check may take so many times its `wall_s` by the clock on the wall."""

FILE_VARIABLE: Final = "LAB_LIMITS"
"""Environment variable that names a TOML file with other limits of a check: `wall_s = 40` and so on, the names of `Limits`."""


def configured() -> Limits:
    """The limits of a check: `CHECK`, with what the file named by $LAB_LIMITS changes.

    Raises:
        SetupError: The file is not there, is not TOML, or holds something else than limits.
    """
    name = os.environ.get(FILE_VARIABLE)
    if not name:
        return CHECK
    known = {field.name: field.type for field in fields(Limits)}
    try:
        given = tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SetupError(f"The limits cannot be read from {name} ({error}); expected a TOML file, or ${FILE_VARIABLE} not set.") from error
    for key, value in given.items():
        whole = known.get(key) == "int"
        if key not in known or isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or value < 0:
            wanted = f"{key} as a {'whole ' if whole else ''}number" if key in known else f"one of {', '.join(known)}"
            raise SetupError(f"{name} holds {key} = {value!r}; expected {wanted}.")
    return replace(CHECK, **given)


def for_check(wall_s: float | None = None, *, cores: int | None = None, processors: float | None = None) -> Limits:
    """The limits of a check.

    Args:
        wall_s: Seconds of wall-clock time, where a check needs more or less than usual.
        cores: Number of cores; those of this machine by default.
        processors: How many of them this process may keep busy: fewer where a container has a quota.

    Returns:
        The limits; wall-clock time is doubled where there is one processor, and quadrupled for half of one; threads are `MOST_THREADS`
        where there are more cores.
    """
    cores = cores or os.cpu_count() or 1
    scale = max(1.0, 2.0 / min(cores, processors or capacity.processors()))
    usual = configured()
    beyond = max(0, cores - MOST_THREADS)
    # A check that asks for more time than usual gets more in the same measure when the usual time was changed.
    longer = (wall_s or CHECK.wall_s) / CHECK.wall_s
    return replace(
        usual,
        wall_s=usual.wall_s * longer * scale,
        cpu_s=int(usual.cpu_s * max(1, cores // 2)),
        memory_bytes=usual.memory_bytes + beyond * CORE_BYTES,
        threads=usual.threads or (MOST_THREADS if beyond else 0),
    )


def slow_start(limits: Limits) -> Limits:
    """The limits of a worker that has to import TensorFlow itself.

    Args:
        limits: Those of the check.

    Returns:
        The same with a minute more, for the import.
    """
    return replace(limits, wall_s=limits.wall_s + 60.0)


def share_of_processors() -> float:
    """The part of the machine that each of the threads that want to run can have at this moment.

    A check's time is counted by this measure, so that a correct submission does not run out of time because its neighbours are busy. The
    number of threads that want to run is the fourth field of /proc/loadavg (proc(5)); this one, which asks, is taken off.

    Returns:
        1 when there are as many cores as wishes, less in a crowd; 1 where the system does not tell.
    """
    try:
        with open("/proc/loadavg", encoding="ascii") as file:
            wishes = int(file.read().split()[3].partition("/")[0]) - 1
    except (OSError, ValueError, IndexError):
        return 1.0
    return min(1.0, (os.cpu_count() or 1) / max(1, wishes))
