"""What one worker may use: the one place where limits are set.

Values are for the machine class the lab is meant for (2 cores, 8 GiB and up). Wall-clock time grows where there are fewer cores than two.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Final

from grader.channel.limits import Limits

CHECK: Final = Limits(wall_s=20.0, cpu_s=60, memory_bytes=6 * 2**30, file_bytes=256 * 2**20, threads=0)
"""For one check. The slowest check of the reference takes under 5 s on 2 cores; memory is address space, of which TensorFlow
reserves more than it touches (measured: 2 GiB is enough, 1 GiB is not)."""

MEASURE: Final = Limits(wall_s=4 * 3600.0, cpu_s=40 * 3600, memory_bytes=64 * 2**30, file_bytes=4 * 2**30, threads=0)
"""For `lab measure`: a person's own run on their own machine, bounded only so that it ends."""


def for_check(wall_s: float | None = None, *, cores: int | None = None) -> Limits:
    """The limits of a check.

    Args:
        wall_s: Seconds of wall-clock time, where a check needs more or less than usual.
        cores: Number of cores; those of this machine by default.

    Returns:
        The limits; wall-clock time is doubled on a single core.
    """
    cores = cores or os.cpu_count() or 1
    scale = 2.0 if cores < 2 else 1.0
    return replace(CHECK, wall_s=(wall_s or CHECK.wall_s) * scale, cpu_s=int(CHECK.cpu_s * max(1, cores // 2)))


def slow_start(limits: Limits) -> Limits:
    """The limits of a worker that has to import TensorFlow itself.

    Args:
        limits: Those of the check.

    Returns:
        The same with a minute more, for the import.
    """
    return replace(limits, wall_s=limits.wall_s + 60.0)
