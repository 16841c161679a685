"""How long a process had a processor, and how long its threads stood in line for one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

NS: Final = 1e9


def ran_and_waited(pid: int) -> tuple[float, float]:
    """What the kernel says of the threads that a process has at this moment.

    The first two numbers of /proc/PID/task/TID/schedstat are nanoseconds on a processor and nanoseconds in line for one (the kernel's
    documentation, sched-stats).

    Args:
        pid: The process.

    Returns:
        Seconds that its threads ran, and seconds that they were ready to run and had to wait, each summed over the threads; zeros where the
        kernel does not tell.
    """
    ran = waited = 0
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError, ValueError):
            first, second, *_ = (int(part) for part in file.read_text(encoding="ascii").split())
            ran += first
            waited += second
    return ran / NS, waited / NS
