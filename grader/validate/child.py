"""What every process that a validation starts does first."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1
"""prctl(2), Linux only."""


def begin() -> None:
    """Leaves Ctrl-C to the process that hands out the work, and ends when that ends, in whatever way.

    Elsewhere than on Linux a process whose parent was killed stays until it is idle.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        parent = multiprocessing.parent_process()
        if parent is not None and os.getppid() != parent.pid:
            os._exit(1)  # it has ended meanwhile
