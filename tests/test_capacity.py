"""What a container leaves of its machine: read from files as the kernel writes them, and from a real control group."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader import capacity

MIB = 2**20
Kernel = tuple[Path, Path]
"""A /proc, and the folder where its control groups are mounted."""


def mounted(folder: Path, *, new: bool, own: str, root: str = "/") -> Kernel:
    """A /proc whose process is in the group `own`, in a system that has control groups in their second form, or in the first."""
    proc, top = folder / "proc", folder / "cgroup"
    (proc / "self").mkdir(parents=True)
    names = {"": top} if new else {"cpu": top / "cpu", "memory": top / "memory"}
    kinds = {"": "cgroup2 cgroup2 rw"} if new else {name: f"cgroup cgroup rw,{name}" for name in names}
    lines = ["22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw"]
    lines += [f"30 22 0:26 {root} {place} rw,nosuid shared:4 - {kinds[name]}" for name, place in names.items()]
    (proc / "self" / "mountinfo").write_text("\n".join(lines) + "\n")
    (proc / "self" / "cgroup").write_text("".join(f"{number}:{name}:{own}\n" for number, name in enumerate(names)))
    for place in names.values():
        place.mkdir(parents=True)
    return proc, top


def group(folder: Path, **files: str) -> None:
    """Writes the files of a group; an underscore stands for the dot of a name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(f"{text}\n")


@given(st.sets(st.integers(0, 300), min_size=1, max_size=20), st.integers(1, 50))
def test_cores_are_divided_evenly(cores: set[int], processes: int) -> None:
    """Each process gets as many cores as the others, or one more; all are given, and none to two processes unless there are too few."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "sched_getaffinity", lambda _: cores)
        patch.setattr(capacity, "processors", lambda: float(len(cores)))
        shares = capacity.shares(processes)
    given = [core for share in shares for core in share]
    assert len(shares) == processes
    assert set(given) == cores
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert max(map(given.count, cores)) - min(map(given.count, cores)) <= (1 if processes > len(cores) else 0)


def test_no_core_is_a_process_s_own_under_a_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where fewer may be kept busy than are seen, everybody may use all."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setattr(capacity, "processors", lambda: 1.5)
    assert capacity.shares(3) == [frozenset()] * 3


def test_quota_of_any_group_above_counts(tmp_path: Path) -> None:
    """The second form: the least quota on the way up holds; `max` is none."""
    proc, top = mounted(tmp_path, new=True, own="/a/b")
    group(top / "a" / "b", cpu_max="max 100000")
    assert capacity.processors(proc) == len(os.sched_getaffinity(0))
    group(top / "a", cpu_max="50000 100000")
    assert capacity.processors(proc) == 0.5
    group(top / "a" / "b", cpu_max="20000 100000")
    assert capacity.processors(proc) == 0.2


def test_first_form_of_control_groups(tmp_path: Path) -> None:
    """Two files for the quota, -1 for none, and numbers without an end for memory."""
    proc, top = mounted(tmp_path, new=False, own="/job")
    for name, text in (("cpu.cfs_quota_us", "-1"), ("cpu.cfs_period_us", "100000")):
        (top / "cpu" / "job").mkdir(exist_ok=True)
        (top / "cpu" / "job" / name).write_text(text)
    assert capacity.processors(proc) == len(os.sched_getaffinity(0))
    (top / "cpu" / "job" / "cpu.cfs_quota_us").write_text("25000")
    assert capacity.processors(proc) == 0.25
    group(top / "memory", memory_limit_in_bytes=str(2**63 - 4096), memory_usage_in_bytes="0", memory_stat="inactive_file 0")
    assert capacity.memory(proc) == psutil.virtual_memory().total
    group(top / "memory" / "job", memory_limit_in_bytes=str(700 * MIB), memory_usage_in_bytes="0", memory_stat="cache 0")
    assert capacity.memory(proc) == 700 * MIB


def test_a_container_that_sees_its_own_group_as_the_root(tmp_path: Path) -> None:
    """The path of the process is the machine's; what is mounted is the container's part, or the whole."""
    for number, (root, own) in enumerate((("/docker/1f", "/docker/1f"), ("/", "/"), ("/", "/../.."), ("/docker/1f", "/"))):
        proc, top = mounted(tmp_path / str(number), new=True, own=own, root=root)
        group(top, cpu_max="150000 100000", memory_max=str(64 * MIB), memory_current=str(60 * MIB), memory_stat=f"inactive_file {10 * MIB}")
        assert capacity.processors(proc) == min(1.5, len(os.sched_getaffinity(0)))
        assert capacity.memory(proc) == 64 * MIB
        assert capacity.free_memory(proc) == 14 * MIB


def test_tasks_of_a_container(tmp_path: Path) -> None:
    """The least number on the way up; `max` is none."""
    proc, top = mounted(tmp_path, new=True, own="/a/b")
    group(top / "a" / "b", pids_max="max")
    assert capacity.tasks(proc) is None
    group(top / "a", pids_max="100")
    assert capacity.tasks(proc) == 100
    group(top / "a" / "b", pids_max="60")
    assert capacity.tasks(proc) == 60


def test_where_nothing_is_told_the_machine_counts(tmp_path: Path) -> None:
    """No /proc, as on macOS and Windows, or files that hold something else."""
    assert capacity.processors(tmp_path) == len(os.sched_getaffinity(0))
    assert capacity.memory(tmp_path) == psutil.virtual_memory().total
    assert capacity.ended_for_memory(tmp_path) == 0
    assert capacity.tasks(tmp_path) is None
    proc, top = mounted(tmp_path, new=True, own="/a")
    group(top / "a", cpu_max="soon", memory_max="much", memory_current="", memory_stat="")
    (proc / "vmstat").write_text("nr_free_pages 12\noom_kill 3\n")
    assert capacity.processors(proc) == len(os.sched_getaffinity(0))
    assert capacity.memory(proc) == psutil.virtual_memory().total
    assert capacity.ended_for_memory(proc) == 3


@pytest.fixture
def real_group() -> Iterator[dict[str, Path]]:
    """A control group with half a processor and 512 MiB: the folders of its controllers."""
    name = f"lab-test-{os.getpid()}"
    tops = {"cpu": Path("/sys/fs/cgroup/cpu"), "memory": Path("/sys/fs/cgroup/memory")}
    new = not tops["cpu"].is_dir()
    made = {Path("/sys/fs/cgroup") / name} if new else {top / name for top in tops.values()}
    try:
        for folder in made:
            folder.mkdir()
        if new:
            (folder / "cpu.max").write_text("50000 100000")
            (folder / "memory.max").write_text(str(512 * MIB))
        else:
            (tops["cpu"] / name / "cpu.cfs_period_us").write_text("100000")
            (tops["cpu"] / name / "cpu.cfs_quota_us").write_text("50000")
            (tops["memory"] / name / "memory.limit_in_bytes").write_text(str(512 * MIB))
    except OSError as error:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
        pytest.skip(f"NO CONTROL GROUP CAN BE MADE HERE ({error}): a container's limits are tested with written files only")
    yield {"cpu": folder, "memory": folder} if new else {kind: top / name for kind, top in tops.items()}
    for folder in made:
        folder.rmdir()


def test_in_a_real_control_group(real_group: dict[str, Path]) -> None:
    """A process in a group of the kernel's own finds what the group was given."""
    code = "from grader import capacity as c; print(c.processors(), c.cores(), c.memory(), c.free_memory() < c.memory())"
    inside = "; ".join(f"echo $$ > {folder}/cgroup.procs" for folder in set(real_group.values()))
    command = ["sh", "-c", f'{inside}; "$@"', "sh", sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]).stdout
    assert said.split() == ["0.5", "1", str(512 * MIB), "True"]
