"""Machines with many cores: TensorFlow starts threads for each of them, and a check's memory has to hold them all.

The machine is made to look larger than it is by a small library that is loaded before all others. What the C library does by itself (eight
memory arenas a core) is given as its own setting, which the grader's overrides.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from grader.checks.plugin import RubricRun
from grader.grade import grade
from grader.host import jail, limits
from grader.host.launch import Launcher, launcher

HERE = Path(__file__).parent
SOLUTIONS = HERE.parents[1] / "solutions"
CHECKS = "decode_colour or pipeline_shuffled or feature_maps or train_stops or accuracy"


@pytest.fixture
def looks_larger(tmp_path: Path) -> Path:
    """The library, built."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler here: a machine with many cores is NOT tested (on Debian: apt-get install gcc libc6-dev)")
    library, source = tmp_path / "many_cores.so", HERE / "many_cores.c"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", str(source), "-o", str(library), "-ldl"], check=True)
    return library


def test_reference_loses_nothing_on_64_cores(looks_larger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What decodes, builds, predicts and trains with TensorFlow's threads for 64 cores stays within a check's memory."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    usual = jail.environment

    def environment(*, devices: bool = False) -> dict[str, str]:
        told = {"LD_PRELOAD": str(looks_larger), "MANY_CORES": "64"}
        return {"MALLOC_ARENA_MAX": str(8 * 64)} | usual(devices=devices) | told

    monkeypatch.setattr(jail, "environment", environment)
    # Inside bubblewrap the library would not be seen; limits are the same without.
    with closing(launcher("zygote", tier="B")) as ready:
        result = grade(SOLUTIONS, keyword=CHECKS, launcher=ready)
    lost = {check.name: check.feedback.summary if check.feedback else "" for check in result.checks if check.earned < check.points}
    assert not lost
    assert len(result.checks) == 5


def test_numpy_has_one_thread_while_a_check_runs(shared: Launcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Graders side by side are not in one another's way with a thread for each core; afterwards everything is as before."""
    seen: list[int] = []
    usual = RubricRun._run_on

    def run_on(self: RubricRun, item: pytest.Function) -> None:
        seen.extend(threads_of_blas())
        usual(self, item)

    monkeypatch.setattr(RubricRun, "_run_on", run_on)
    with threadpool_limits(3, user_api="blas"):
        assert set(threads_of_blas()) == {3}
        grade(SOLUTIONS, keyword="wilson or top_k", launcher=shared)
        assert set(threads_of_blas()) == {3}
    assert len(seen) >= 2
    assert set(seen) == {1}


def threads_of_blas() -> list[int]:
    """How many threads each library for matrix products would use now."""
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_threads_and_memory_of_a_check_follow_the_cores() -> None:
    """Few cores are left to TensorFlow; of many it gets four, and the address space for tf.data's pools grows with them."""
    few, many = limits.for_check(cores=2), limits.for_check(cores=64)
    assert (few.threads, few.memory_bytes) == (0, limits.CHECK.memory_bytes)
    assert (many.threads, many.memory_bytes) == (limits.MOST_THREADS, limits.CHECK.memory_bytes + 60 * limits.CORE_BYTES)
