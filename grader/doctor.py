"""Tells whether this machine can run the lab, and what to do where it cannot.

TensorFlow is imported in another process: an import that hangs or crashes must not take the doctor with it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from grader import capacity
from grader.host.jail import Isolation, Tier, probe
from grader.host.limits import CHECK

PYTHON_FIRST: Final = (3, 11)
PYTHON_LAST: Final = (3, 13)
TENSORFLOW_SERIES: Final = ("2.20", "2.21")
MEMORY_GIB: Final = 4.0
"""Training the model needs about 2 GiB."""
TASKS: Final = 256
"""Threads and processes of one user that gradings need at least; a worker of the reference has about 60."""
FILES: Final = 256
"""Files that must be able to be open at once."""
DISK_GIB: Final = 2.0

_IMPORT_TIMEOUT_S: Final = 300
_IMPORT: Final = """
import json, time
start = time.perf_counter()
import tensorflow
print(json.dumps({"version": tensorflow.__version__, "seconds": time.perf_counter() - start}))
"""
_COMPILED_PACKAGES: Final = ("tensorflow", "keras", "numpy")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's.

    Attributes:
        subject: What was looked at, one or two words.
        ok: False for a problem.
        text: What was found.
        advice: What to do about a problem; empty when ok.
        essential: A problem here stops the lab; otherwise it only slows or narrows it.
    """

    subject: str
    ok: bool
    text: str
    advice: str = ""
    essential: bool = False

    def line(self) -> str:
        """The finding as it is printed; the word comes first, so nothing hangs on colour."""
        word = "OK" if self.ok else ("PROBLEM" if self.essential else "NOTE")
        advice = f" -> {self.advice}" if self.advice and not self.ok else ""
        return f"{word:<8}{self.subject}: {self.text}{advice}"


def examine(folder: Path) -> Iterator[Finding]:
    """Looks at everything, the quick things first; yields each finding as it is made.

    Args:
        folder: Where the lab lies: data sets are looked for in its `data/`, and it must be writable.
    """
    yield check_python(sys.version_info[:3])
    yield check_cores()
    yield check_memory()
    yield check_limits()
    yield check_disk(folder)
    yield check_write_access(folder)
    yield check_encoding(sys.getfilesystemencoding())
    yield check_isolation(sys.platform)
    yield check_data(folder / "data")
    yield check_compiled()
    yield check_tensorflow()


def check_python(version: tuple[int, ...]) -> Finding:
    """TensorFlow has packages for these versions of Python only."""
    text = ".".join(map(str, version[:3]))
    if PYTHON_FIRST <= version[:2] <= PYTHON_LAST:
        return Finding("Python", True, text, essential=True)
    return Finding("Python", False, text, "install Python 3.11, 3.12 or 3.13 and make a new virtual environment with it", essential=True)


def check_cores() -> Finding:
    """One core is enough to pass, but timings then share it with everything else."""
    cores = capacity.processors()
    if cores >= 2:
        return Finding("cores", True, f"{cores:g}")
    return Finding("cores", False, f"{cores:g}", "measurements will be unsteady; use a machine with two cores or more")


def check_memory() -> Finding:
    """Whether the machine's memory is enough for a worker."""
    gib = capacity.memory() / 2**30
    if gib >= MEMORY_GIB:
        return Finding("memory", True, f"{gib:.1f} GiB")
    return Finding("memory", False, f"{gib:.1f} GiB, expected {MEMORY_GIB:.0f}", "close other programs or train on a larger machine")


def check_limits() -> Finding:
    """What the system lets a process have (ulimit); a batch system may give less than the lab needs."""
    if sys.platform == "win32":
        return Finding("limits", True, "none")
    import resource

    wanted = (
        ("address space", resource.RLIMIT_AS, CHECK.memory_bytes, "-v", 1024),
        ("processes and threads", resource.RLIMIT_NPROC, TASKS, "-u", 1),
        ("open files", resource.RLIMIT_NOFILE, FILES, "-n", 1),
    )
    short = [
        f"{name} {known // unit:,}, expected {needed // unit:,} (ulimit {option})"
        for name, kind, needed, option, unit in wanted
        if (known := resource.getrlimit(kind)[1]) != resource.RLIM_INFINITY and known < needed
    ]
    given = capacity.tasks()
    if given is not None and given < TASKS:
        short.append(f"processes and threads of this container {given:,}, expected {TASKS:,} (pids.max)")
    if not short:
        return Finding("limits", True, "as wide as the lab needs")
    return Finding("limits", False, "; ".join(short), "raise them, or ask whoever runs the machine: right solutions may lose points")


def check_disk(folder: Path) -> Finding:
    """The full data set takes about a gigabyte."""
    gib = shutil.disk_usage(folder).free / 2**30
    if gib >= DISK_GIB:
        return Finding("disk", True, f"{gib:.1f} GiB free")
    return Finding("disk", False, f"{gib:.1f} GiB free, expected {DISK_GIB:.0f}", "make room, or use only the small data set")


def check_write_access(folder: Path) -> Finding:
    """Data sets and results are written below the folder."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        advice = "copy the repository to a folder that is yours"
        return Finding("write access", False, f"cannot write in {folder} ({error.strerror})", advice, essential=True)
    return Finding("write access", True, f"{folder} can be written to", essential=True)


def check_encoding(encoding: str) -> Finding:
    """File names and sources are UTF-8."""
    if encoding.lower().replace("-", "") == "utf8":
        return Finding("encoding", True, encoding)
    return Finding("encoding", False, f"{encoding}, expected utf-8", "set PYTHONUTF8=1")


def check_isolation(platform: str, find: Callable[[], Isolation] = probe) -> Finding:
    """How a submission is kept apart from the grader: the tier, and why it is not a higher one.

    Args:
        platform: `sys.platform`.
        find: Tells the tier; only asked on Linux.
    """
    if platform != "linux":
        text = f"tier C: {platform} has no safe fork and no sandbox of ours: a new process for each check, which takes some seconds more"
        return Finding("isolation", False, text, "nothing to do for your own work; grade a class on Linux")
    isolation = find()
    if isolation.tier is Tier.A:
        return Finding("isolation", True, str(isolation))
    advice = "nothing to do for your own work; for a class, mend that"
    return Finding("isolation", False, f"{isolation}; not a higher tier since {'; '.join(isolation.missing)}", advice)


def check_data(folder: Path) -> Finding:
    """Which data sets lie in the data folder; those of Tiny ImageNet's layout have a `wnids.txt`."""
    found = sorted(file.parent.name for file in folder.glob("*/wnids.txt"))
    if found:
        return Finding("data", True, f"{', '.join(found)} in {folder}")
    return Finding("data", False, f"no data set in {folder}", "run `lab data make`; grading works without, measuring does not")


def check_compiled(find: Callable[[str], Path | None] | None = None) -> Finding:
    """An environment without byte code imports TensorFlow about three times slower, in every worker.

    Args:
        find: Gives the folder of a package, or None when it is not installed.
    """
    find = find or _package_folder
    folders = [folder for name in _COMPILED_PACKAGES if (folder := find(name)) is not None]
    sources = [file for folder in folders for file in folder.rglob("*.py")]
    if not sources:
        return Finding("byte code", False, "TensorFlow is not installed here", "run `make setup`")
    bare = sum(not Path(importlib.util.cache_from_source(str(file))).exists() for file in sources)
    # Some packages ship files that no Python version compiles; a few missing ones cost nothing.
    if bare <= len(sources) // 20:
        return Finding("byte code", True, f"{len(sources) - bare} of {len(sources)} files compiled")
    places = " ".join(sorted({f'"{folder.parent}"' for folder in folders}))
    advice = f'run `"{sys.executable}" -m compileall -q -j 0 {places}`'
    return Finding("byte code", False, f"{bare} of {len(sources)} files not compiled: TensorFlow starts about 3 times slower", advice)


def check_tensorflow(executable: str = sys.executable, code: str = _IMPORT) -> Finding:
    """Imports TensorFlow in a process of its own, with version and time."""
    advice = "run `make setup` (or `pip install -c constraints.txt -e .`) in the virtual environment"
    try:
        # -I: no file in the working directory and no variable can stand in for TensorFlow.
        run = subprocess.run(
            [executable, "-I", "-c", code],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_IMPORT_TIMEOUT_S,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finding("TensorFlow", False, f"its import took more than {_IMPORT_TIMEOUT_S} s", advice, essential=True)
    except OSError as error:
        return Finding("TensorFlow", False, f"could not start {executable} ({error.strerror})", advice, essential=True)
    if run.returncode != 0:
        last = (run.stderr.strip().splitlines() or [f"exit status {run.returncode}"])[-1]
        return Finding("TensorFlow", False, f"cannot be imported: {last}", advice, essential=True)
    facts = json.loads(run.stdout.strip().splitlines()[-1])
    text = f"{facts['version']}, imported in {facts['seconds']:.1f} s"
    if not str(facts["version"]).startswith(TENSORFLOW_SERIES):
        return Finding("TensorFlow", False, f"{text}, expected {' or '.join(TENSORFLOW_SERIES)}", advice)
    return Finding("TensorFlow", True, text, essential=True)


def _package_folder(name: str) -> Path | None:
    # find_spec of a top-level package runs none of its code.
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None
