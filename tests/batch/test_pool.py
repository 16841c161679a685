"""The grader processes of this machine."""

from __future__ import annotations

import os
import time
from contextlib import closing

import psutil
import pytest
from processes import children_running

from grader import capacity
from grader.batch.pool import LocalPool


def test_each_grader_keeps_to_its_own_cores() -> None:
    """No two graders share a core, so that what one of them times is not disturbed; together they have all."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2 or capacity.processors() < len(cores):
        pytest.skip("fewer than two cores of one's own here: that graders keep to theirs is NOT tested")
    with closing(LocalPool(2)) as pool:
        pool.start()
        deadline = time.monotonic() + 30
        while True:
            graders = children_running(psutil.Process(), "grader.batch.process")
            kept = sorted(sorted(grader.cpu_affinity()) for grader in graders)
            if [core for share in kept for core in share] == cores:
                break
            assert time.monotonic() < deadline, kept
            time.sleep(0.1)
    assert len(kept) == 2
