"""Which tier a machine gives, what is said when it is not the highest, and what a zygote is started with."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from grader.errors import SetupError
from grader.host import jail, limits
from grader.host.jail import Isolation, Jail, Tier
from grader.host.launch import Launcher, SubprocessLauncher, launcher, refuse_without_sandbox
from grader.outcomes import CheckFailed
from grader.worker import landlock

from .test_faults import Started


@pytest.fixture(autouse=True)
def _found_anew() -> Iterator[None]:
    """What was found out about the machine does not pass from test to test."""
    jail._best.cache_clear()
    yield
    jail._best.cache_clear()


def test_highest_tier_of_this_machine(shared: Launcher) -> None:
    """What the probe says without TensorFlow is what a started zygote gives; on the machines of the project's CI that is tier A."""
    found = jail.probe()
    assert found == shared.isolation
    if os.environ.get("CI"):
        assert (found.tier, found.missing) == (Tier.A, ())


@pytest.mark.parametrize("tier", ["A", "B", "C"])
def test_lower_tiers_can_be_asked_for(tier: str) -> None:
    """A tier that is asked for is not exceeded, and a lower one says that it was asked for."""
    found = jail.probe(tier)
    assert found.tier == tier
    assert ("was asked for" in str(found.missing)) == (tier != "A")


def test_unknown_tier_is_refused() -> None:
    """Another word than A, B or C is named."""
    with pytest.raises(SetupError, match="Expected the tier A, B or C, received 'D'"):
        jail.choose("d")


def test_missing_bubblewrap_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without bubblewrap, tier B holds, and the reason says how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    found = jail.probe()
    assert found.tier is Tier.B
    assert "bubblewrap is not installed" in found.missing[0]
    assert "apt-get install bubblewrap" in found.missing[0]


def test_bubblewrap_that_is_denied_is_said_with_its_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where namespaces are denied, tier B holds, with what bubblewrap said."""
    denied = tmp_path / "bwrap"
    denied.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    denied.chmod(denied.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = jail.probe()
    assert found.tier is Tier.B
    assert "No permissions to create new namespace" in found.missing[0]


def test_layer_that_does_not_hold_means_tier_c() -> None:
    """A tier has all its layers or is none: one that the zygote could not put on is named."""
    told = {"layers": {"privileges": "", "landlock": "not in this kernel", "seccomp": ""}, "landlock": 0, "jailed": True}
    found = jail.judge(Jail("/usr/bin/bwrap", False, jail.LAYERS), told)
    assert found.tier is Tier.C
    assert found.missing == ("landlock does not hold: not in this kernel",)


def test_class_is_not_graded_without_a_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tier C is refused unless somebody says so in so many words; tier B is not."""
    with closing(SubprocessLauncher()) as plain:
        with pytest.raises(SetupError, match="--unsandboxed"):
            refuse_without_sandbox(plain)
        refuse_without_sandbox(plain, unsandboxed=True)

    class Held(SubprocessLauncher):
        isolation = Isolation(Tier.B, ("seccomp",))

    with closing(Held()) as held:
        refuse_without_sandbox(held)


def test_zygote_that_cannot_start_inside_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where bubblewrap works and the zygote in it does not, tier B is used and the result says why."""
    monkeypatch.setattr(jail, "OWN", ("errors.py",))  # the worker's own code is not seen inside
    with closing(launcher("zygote", tier="A")) as using:
        found = using.isolation
    assert found.tier is Tier.B
    assert "the zygote does not start inside bubblewrap" in found.missing[0]


def test_environment_of_a_zygote(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the grader's environment is passed on but language and what numerical libraries read; GPUs are hidden."""
    monkeypatch.setenv("LAB_SECRET", "s3cret")
    monkeypatch.setenv("LD_PRELOAD", "evil.so")
    monkeypatch.setenv("PYTHONSTARTUP", "evil.py")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    given = jail.environment()
    assert not {"LAB_SECRET", "LD_PRELOAD", "PYTHONSTARTUP", "HOME"} & set(given)
    assert given["OPENBLAS_NUM_THREADS"] == "2"
    assert given["CUDA_VISIBLE_DEVICES"] == "-1"
    assert jail.environment(devices=True)["CUDA_VISIBLE_DEVICES"] == "0"


def test_both_sides_name_the_same_sources() -> None:
    """The parts of the package that are seen inside the jail are those that Landlock lets a worker read."""
    assert jail.OWN == landlock.OWN


def test_rooms_are_apart(shared: Launcher, started: Started, tmp_path: Path) -> None:
    """A worker reads its own submission, writes its own scratch folder, and reaches neither another's room nor the list of rooms."""
    source = """
import os
def own(): return open(__file__).read()[:10], os.listdir(".")
def write(path): open(path, "w").close()
def read(path): return open(path).read()
def names(path): return os.listdir(path)
"""
    mine, other = started(shared, source), started(shared, source)
    (other.scratch / "secret").write_text("of another")
    assert mine.training.own() == ("\nimport os\n"[:10], [])
    mine.training.write("file")
    assert (mine.scratch / "file").exists()
    for function, path in (
        (mine.training.write, mine.scratch.parent / "submission" / "training.py"),
        (mine.training.write, other.scratch / "file"),
        (mine.training.read, other.scratch / "secret"),
        (mine.training.read, tmp_path / "submission-0" / "training.py"),
        (mine.training.names, shared.rooms),
        (mine.training.names, "/"),
    ):
        with pytest.raises(CheckFailed, match=r"PermissionError|FileNotFoundError"):
            function(str(path))
    assert sorted(file.name for file in other.scratch.iterdir()) == ["secret"]


def test_limits_can_be_set_in_one_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A TOML file changes the limits of all checks; a check that asks for more time keeps its measure."""
    file = tmp_path / "limits.toml"
    file.write_text("wall_s = 40\nmemory_bytes = 3221225472\n")
    monkeypatch.setenv(limits.FILE_VARIABLE, str(file))
    usual = limits.for_check(cores=2, processors=2)
    assert (usual.wall_s, usual.memory_bytes, usual.file_bytes) == (40.0, 3 * 2**30, limits.CHECK.file_bytes)
    assert limits.for_check(60.0, cores=2, processors=2).wall_s == 120.0
    assert limits.for_check(cores=8).cpu_s == 4 * usual.cpu_s


@pytest.mark.parametrize(("cores", "processors", "times"), [(64, 8, 1), (2, 2, 1), (64, 1, 2), (1, 1, 2), (16, 0.5, 4), (2, 0.25, 8)])
def test_a_check_has_more_time_where_a_container_has_less_of_a_processor(cores: int, processors: float, times: int) -> None:
    """What takes the reference 5 s on two processors takes 40 s on a quarter of one."""
    assert limits.for_check(cores=cores, processors=processors).wall_s == times * limits.CHECK.wall_s


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("wall = 3", "expected one of wall_s"),
        ("wall_s = 'long'", "expected wall_s as a number"),
        ("cpu_s = 1.5", "expected cpu_s as a whole number"),
        ("memory_bytes = -1", "expected memory_bytes as a whole number"),
        ("wall_s = ", "expected a TOML file"),
    ],
)
def test_wrong_limits_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, told: str) -> None:
    """A file with other names, types or no TOML is answered with what was expected."""
    file = tmp_path / "limits.toml"
    file.write_text(text)
    monkeypatch.setenv(limits.FILE_VARIABLE, str(file))
    with pytest.raises(SetupError, match=told):
        limits.for_check()
