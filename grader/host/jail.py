"""The jail around the zygote, and the tier of isolation that a machine gives.

    A     the zygote inside bubblewrap: a file system of its own without the grader, its secrets and other submissions; no network;
          processes of its own. Each worker in it under limits, without privileges, under Landlock and seccomp.
    B     the same without bubblewrap, where namespaces are not to be had: that a file exists can be seen.
    C     limits only, or a plain subprocess: keeps honest mistakes apart, and nobody out.

Which tier holds is found out by trying, each time a zygote starts.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import grader
from grader.errors import SetupError

TIER_VARIABLE: Final = "LAB_TIER"
"""Environment variable that names the highest tier to use: A, B or C. For tests, and for machines where a higher one misbehaves."""

TMP_BYTES: Final = 64 * 2**20
PROBE_S: Final = 60.0
LAYERS: Final = ("privileges", "landlock", "seccomp")
OWN: Final = ("__init__.py", "errors.py", "channel", "worker")
"""The parts of this package that are seen inside; `grader.worker.landlock` lists the same."""

STAND_IN: Final = 64000
"""The first of the users that stand in for root; `grader.worker.confine` has them all."""
_BECOME: Final = f"import os; os.setgroups([]); os.setresgid(*[{STAND_IN}] * 3); os.setresuid(*[{STAND_IN}] * 3)"

_SYSTEM: Final = ("/etc/ld.so.cache", "/etc/localtime", "/sys/devices/system/cpu", "/sys/devices/system/node")
_PASSED_ON: Final = ("LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
_PASSED_ON_BEGINNINGS: Final = ("OPENBLAS_", "OMP_", "MKL_", "TF_", "XLA_")
_FOR_CHECKS: Final = {"MALLOC_ARENA_MAX": "4", "OPENBLAS_NUM_THREADS": "1"}
"""Glibc reserves 64 to 128 MiB of address space for each arena, and makes up to eight arenas a core, as long as there are threads that want
one: from 16 cores on TensorFlow's threads would not fit into a check's memory. NumPy's library would start a thread for each core."""


class Tier(StrEnum):
    """How well a submission is kept apart; A is the highest."""

    A = "A"
    B = "B"
    C = "C"


@dataclass(frozen=True, slots=True)
class Isolation:
    """What holds a worker.

    Attributes:
        tier: The tier.
        parts: What it is made of, for people: "bubblewrap", "Landlock 7", ...
        missing: Why a higher tier does not hold, one clause each; empty in tier A.
    """

    tier: Tier
    parts: tuple[str, ...]
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line, as results carry it."""
        return f"tier {self.tier} ({', '.join(self.parts)})"


@dataclass(frozen=True, slots=True)
class Jail:
    """How to start a zygote.

    Attributes:
        bubblewrap: Path of `bwrap`; None to start the zygote bare.
        becomes: Whether root's zygote becomes another user's inside.
        layers: Layers that workers are to get.
        missing: Why there is no bubblewrap, or why less is wanted.
    """

    bubblewrap: str | None
    becomes: bool
    layers: tuple[str, ...]
    missing: tuple[str, ...] = ()

    def command(self, rooms: Path, *arguments: str, tasks: int) -> list[str]:
        """The command that starts the zygote.

        Args:
            rooms: The folder below which workers find their submissions and may write.
            arguments: For the zygote.
            tasks: Threads that one worker may start.

        Returns:
            A command line; it wants `environment` as its environment.
        """
        # -P: nothing is imported from the folder that the grader happens to be started in
        zygote = [sys.executable, "-P", "-m", "grader.worker.zygote", *arguments]
        if self.layers:
            zygote += ["--tasks", str(tasks), "--layers", *self.layers]
        if self.bubblewrap is None:
            return zygote
        inside = ["--jailed", *(["--become"] if self.becomes else [])]
        return self.inside(rooms, [*zygote[:4], *inside, *zygote[4:]])

    def inside(self, rooms: Path, program: Sequence[str]) -> list[str]:
        """The command that runs a program inside bubblewrap, with the files that a zygote sees."""
        assert self.bubblewrap is not None
        return [self.bubblewrap, *_namespaces(self.becomes), *_files(rooms), "--chdir", "/", "--", *program]


def choose(wanted: str | None = None) -> Jail:
    """Finds the best jail that this machine gives.

    Args:
        wanted: The highest tier to use; by default $LAB_TIER, or A.

    Returns:
        The jail. Whether its layers hold is told by the zygote.

    Raises:
        SetupError: There is no such tier.
    """
    named = (wanted or os.environ.get(TIER_VARIABLE) or Tier.A).upper()
    if named not in tuple(Tier):
        raise SetupError(f"Expected the tier A, B or C, received {named[:20]!r}; see `lab doctor`.")
    return _best(Tier(named))


@functools.cache
def _best(tier: Tier) -> Jail:
    """Tried once in a process: what a machine gives does not change under it."""
    if tier is Tier.C:
        return Jail(None, False, (), ("tier C was asked for",))
    if tier is Tier.B:
        return Jail(None, False, LAYERS, ("tier B was asked for",))
    bubblewrap = shutil.which("bwrap")
    if bubblewrap is None:
        return Jail(None, False, LAYERS, ("bubblewrap is not installed (on Debian and Ubuntu: apt-get install bubblewrap)",))
    root = os.geteuid() == 0
    reason = _refusal(bubblewrap, becomes=root)
    if reason is None:
        return Jail(bubblewrap, root, LAYERS)
    # Root that knows no other user is root of a namespace: that of a rootless container, say. Other root's workers are kept apart better
    # without bubblewrap, as another user, than in a namespace of root's.
    if root and _why_not(_becoming()) is not None and _refusal(bubblewrap, becomes=False) is None:
        return Jail(bubblewrap, False, LAYERS)
    return Jail(None, False, LAYERS, (f"bubblewrap cannot make a namespace here: {reason}",))


def judge(jail: Jail, told: Mapping[str, Any]) -> Isolation:
    """The tier that a started zygote gives its workers.

    Args:
        jail: What it was started with.
        told: Its "ready" message.

    Returns:
        The isolation.
    """
    layers: dict[str, str] = dict(told.get("layers") or {})
    missing = [*jail.missing, *(f"{name} does not hold: {why}" for name, why in layers.items() if why)]
    holding = [name for name, why in layers.items() if not why]
    names = {"privileges": "no privileges", "landlock": f"Landlock {told.get('landlock')}", "seccomp": "seccomp"}
    parts = [*(["bubblewrap"] if told.get("jailed") else []), *(names.get(name, name) for name in holding), "fork of a zygote"]
    whole = all(name in holding for name in LAYERS)
    tier = Tier.C if not whole else Tier.A if told.get("jailed") else Tier.B
    return Isolation(tier, tuple(parts), tuple(missing))


def probe(wanted: str | None = None) -> Isolation:
    """Tells which tier this machine gives, without starting TensorFlow.

    Args:
        wanted: The highest tier to use; by default $LAB_TIER, or A.

    Returns:
        The isolation.
    """
    jail = choose(wanted)
    program = [sys.executable, "-P", "-m", "grader.worker.confine"]
    with tempfile.TemporaryDirectory(prefix="lab-probe-") as rooms:
        if jail.bubblewrap is not None:
            program = jail.inside(Path(rooms), [*program, *(["--become"] if jail.becomes else [])])
        done = subprocess.run(program, capture_output=True, text=True, timeout=PROBE_S, env=environment(), check=False)
    try:
        told = json.loads(done.stdout)
    except ValueError:
        lines = done.stderr.strip().splitlines()
        return Isolation(Tier.C, ("limits",), (f"the layers could not be tried: {lines[-1] if lines else 'no answer'}",))
    layers = {name: told["layers"].get(name, "not tried") for name in jail.layers}
    return judge(jail, {"layers": layers, "landlock": told["landlock_abi"], "jailed": jail.bubblewrap is not None})


def environment(*, devices: bool = False) -> dict[str, str]:
    """A zygote's environment: nothing of the grader's but language, and what numerical libraries read.

    Args:
        devices: Whether GPUs may be seen, and as many threads started as libraries like. Grades are made on the processor, so that they
            are the same everywhere.

    Returns:
        The variables.
    """
    kept = {name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith(_PASSED_ON_BEGINNINGS)}
    kept |= {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": os.pathsep.join(_import_path())}
    if devices:
        return kept | {name: os.environ[name] for name in ("CUDA_VISIBLE_DEVICES",) if name in os.environ}
    return _FOR_CHECKS | kept | {"CUDA_VISIBLE_DEVICES": "-1"}


def _import_path() -> list[str]:
    """PYTHONPATH as it is here, and the checkout that this package was found in, where it is not an installed one."""
    checkout = Path(grader.__file__).resolve().parent.parent
    here = {Path(name or ".").resolve() for name in sys.path} - {Path(value) for value in sysconfig.get_paths().values()}
    given = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    return list(dict.fromkeys([*given, *([str(checkout)] if checkout in here else [])]))


def _namespaces(becomes: bool) -> list[str]:
    common = ["--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    if becomes:
        # As real root: no user namespace, so that the worker's user is another one for the kernel too.
        apart = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
        return [*apart, *common, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return ["--unshare-all", *common]


def _refusal(bubblewrap: str, *, becomes: bool) -> str | None:
    """Why bubblewrap does not work in this way; None where it does."""
    program = _becoming() if becomes else ["/bin/true"]
    return _why_not([bubblewrap, *_namespaces(becomes), "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--", *program])


def _becoming() -> list[str]:
    """The command that only becomes another user: root's zygote has to."""
    return [sys.executable, "-I", "-S", "-c", _BECOME]


def _why_not(command: Sequence[str]) -> str | None:
    """The last line that a command that fails has to say; None where it does not fail."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_S, stdin=subprocess.DEVNULL, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = done.stderr.strip().splitlines()
    return None if done.returncode == 0 else (lines[-1] if lines else f"exit status {done.returncode}")


def _files(rooms: Path) -> list[str]:
    package = Path(grader.__file__).resolve().parent
    arguments = ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--size", str(TMP_BYTES), "--tmpfs", "/tmp"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        top = Path("/", name)
        if top.is_symlink():
            arguments += ["--symlink", os.readlink(top), str(top)]
        elif top.is_dir():
            arguments += ["--ro-bind", str(top), str(top)]
    # Outer folders first: what is bound later lies over what was bound before.
    bound = sorted({"/usr", *_interpreter(package)}, key=lambda folder: folder.count("/"))
    for folder in _above([*map(Path, (*bound, *_SYSTEM)), package, rooms]):
        arguments += ["--perms", "0755", "--dir", folder]  # what bubblewrap makes by itself only root can pass through
    for path in _SYSTEM:
        arguments += ["--ro-bind-try", path, path]
    for folder in bound:
        arguments += ["--ro-bind", folder, folder]
    arguments += ["--perms", "0755", "--tmpfs", str(package)]
    for name in OWN:
        arguments += ["--ro-bind", str(package / name), str(package / name)]
    return [*arguments, "--remount-ro", str(package), "--bind", str(rooms), str(rooms)]


def _above(paths: Sequence[Path]) -> list[str]:
    """The folders above some paths, outer ones first, without those that are there already."""
    given = {"/", "/tmp", *map(str, paths)}
    return sorted({str(parent) for path in paths for parent in path.parents} - given, key=lambda folder: folder.count("/"))


def _interpreter(package: Path) -> set[str]:
    """Folders of the interpreter and of what is installed, without those that hold this package's checkout."""
    executable = Path(sys.executable)
    homes = {sys.prefix, sys.base_prefix}
    # A virtual environment's python is a link, or a chain of links, into the interpreter's own folder.
    while executable.is_symlink():
        homes.add(str(executable.parent.parent))
        executable = executable.parent / os.readlink(executable)
    homes.add(str(executable.resolve().parent.parent))
    others = {folder for folder in _module_folders() if not package.is_relative_to(folder)}
    folders = {Path(name) for name in homes | others if name and Path(name).is_dir()} - {Path("/")}
    return {str(folder) for folder in folders} | {str(folder.resolve()) for folder in folders}


@functools.cache
def _module_folders() -> tuple[str, ...]:
    """Where a zygote's Python will look for modules: not where this process does, which also has the folder it was started in."""
    command = [sys.executable, "-P", "-c", "import sys; print(*sys.path, sep=chr(0), end='')"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_S, env=environment(), check=True)
    return tuple(done.stdout.split("\0"))
