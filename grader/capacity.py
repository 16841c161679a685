"""What this process may use of its machine: in a container, or under a batch system, that is less than all.

The usual calls tell what the whole machine has. What is left of it for a container is in the files of its control group, cgroups(7).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

import psutil

PROC: Final = Path("/proc")
"""Where the kernel tells of processes."""


def processors(proc: Path = PROC) -> float:
    """How many processors this process may keep busy; a part of one where a quota gives less.

    Args:
        proc: Where the kernel tells of processes.

    Returns:
        The least of the machine's, those of the process's own set (taskset, cpuset), and the quota of its control groups (`cpu.max`).
    """
    most = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    for group in _groups("cpu", proc):
        with suppress(OSError, ValueError, ZeroDivisionError):
            if (file := group / "cpu.max").exists():
                quota, period = file.read_text().split()
            else:
                quota, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
            if int(quota) > 0:  # "max" or -1: none
                most = min(most, int(quota) / int(period))
    return most


def cores() -> int:
    """How many processes that compute may run side by side: whole processors, and one at least."""
    return max(1, int(processors()))


def shares(processes: int) -> list[frozenset[int]]:
    """Divides the cores among processes that compute side by side, so that what one of them times has a core of its own.

    Args:
        processes: How many processes there are, at least 1.

    Returns:
        For each process the numbers of the cores that it should keep to: all cores in equal parts, and one core for several processes
        where there are more of these. Empty sets where the system knows no such numbers, and where a quota gives less than the cores that
        are seen: then no core is anybody's own.
    """
    if not hasattr(os, "sched_getaffinity"):
        return [frozenset()] * processes
    mine = sorted(os.sched_getaffinity(0))
    count = len(mine)
    if processors() < count:
        return [frozenset()] * processes
    if processes >= count:
        return [frozenset({mine[number % count]}) for number in range(processes)]
    return [frozenset(mine[number * count // processes : (number + 1) * count // processes]) for number in range(processes)]


def keep_to(cores: Collection[int]) -> None:
    """Lets this process, and those that it starts from now on, run on these cores only; on all when there are none.

    Where the system does not let it, it runs on all, and takes its turns there.
    """
    if cores:
        with suppress(OSError):
            os.sched_setaffinity(0, cores)


def memory(proc: Path = PROC) -> int:
    """How much memory this process may use at most, bytes: the machine's, or the limit of its control groups."""
    return min([psutil.virtual_memory().total, *(limit for limit, _ in _memory_limits(proc))])


def free_memory(proc: Path = PROC) -> int:
    """How much memory this process can still get, bytes: the machine's, or what its control groups have left."""
    return min([psutil.virtual_memory().available, *(max(0, limit - used) for limit, used in _memory_limits(proc))])


def tasks(proc: Path = PROC) -> int | None:
    """How many processes and threads there may be in this process's control groups at a time; None where that is not limited."""
    most = None
    for group in _groups("pids", proc):
        with suppress(OSError, ValueError):
            given = int((group / "pids.max").read_text())  # "max": none
            most = given if most is None else min(most, given)
    return most


def ended_for_memory(proc: Path = PROC) -> int:
    """How many processes the kernel has ended on this machine since it started, because memory ran out; 0 where it does not tell."""
    with suppress(OSError, ValueError):
        for line in (proc / "vmstat").read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0


def _memory_limits(proc: Path) -> Iterator[tuple[int, int]]:
    """Limit and use of each control group that limits memory, bytes; files that the kernel can drop are no use."""
    for group in _groups("memory", proc):
        with suppress(OSError, ValueError):
            new = (group / "memory.max").exists()
            limit, used = ("memory.max", "memory.current") if new else ("memory.limit_in_bytes", "memory.usage_in_bytes")
            most = int((group / limit).read_text())  # "max": none
            told = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            yield most, int((group / used).read_text()) - int(told.get("inactive_file", 0))


def _groups(controller: str, proc: Path) -> Iterator[Path]:
    """The folders of the control groups that this process is in, its own first, as far up as can be seen from here."""
    try:
        members = (proc / "self" / "cgroup").read_text().splitlines()
        mounts = (proc / "self" / "mountinfo").read_text().splitlines()
    except OSError:
        return
    paths = {name: path for line in members for _, names, path in [line.split(":", 2)] for name in names.split(",")}
    for line in mounts:
        places, _, kinds = line.partition(" - ")
        root, place = places.split()[3:5]
        kind, _, options = kinds.split()[:3]
        name = {"cgroup2": "", "cgroup": controller}.get(kind)
        if name is None or name not in paths or (name and name not in options.split(",")):
            continue
        # A container may see its own group as the root, and its own path as the machine does.
        own = PurePosixPath(paths[name])
        inside = own.relative_to(root) if own.is_relative_to(root) and ".." not in own.parts else PurePosixPath()
        folder, top = Path(place) / inside, Path(place)
        yield folder
        while folder != top:
            folder = folder.parent
            yield folder
