"""Which files a worker may open: libraries and its own sources to read, its scratch folder to write. Landlock, in the kernel.

Landlock holds whoever the process runs as, root too. It does not hide that a file exists, and does not keep from changing a file's mode;
bubblewrap's own file system and seccomp do that.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import grader

LOWEST_ABI: Final = 3
"""Below, cutting a file short cannot be forbidden (Linux 6.2 has 3)."""

SYSTEM: Final = (
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/lib",
    "/lib64",
    "/usr/share/zoneinfo",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/filesystems",
    "/proc/sys/vm",
    "/proc/sys/kernel/osrelease",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/dev/null",
    "/dev/zero",
    "/dev/urandom",
    "/dev/random",
)
"""What the C library, Python, NumPy and TensorFlow read. Files of a process's own folder in /proc come on top."""

OWN_PROCESS: Final = (
    *("cgroup", "cmdline", "comm", "cpuset", "fd", "mountinfo", "mounts"),
    *("auxv", "limits", "maps", "smaps", "smaps_rollup", "stat", "statm", "status"),
)
"""What these read of /proc/<pid> (TensorFlow 2.21, by strace; the C library and psutil, by their sources). Not the folder whole: its `net`,
and that of each thread in `task`, tell the machine's connections, ports and routes."""

OWN: Final = ("__init__.py", "errors.py", "channel", "worker")
"""Of this package: what runs beside a submission. The rubric is none of it."""


def own_sources() -> list[Path]:
    """The parts of this package that a worker needs."""
    package = Path(grader.__file__).parent
    return [package / name for name in OWN]


def library_folders() -> list[Path]:
    """Folders of the interpreter and of installed packages.

    A folder that holds this package itself as a checkout (its parent, on PYTHONPATH) is left out: beside it lie solutions and data.
    """
    checkout = Path(grader.__file__).resolve().parent.parent
    installed = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    named = {*installed, *sys.path, sys.prefix if sys.prefix != sys.base_prefix else "", sysconfig.get_config_var("LIBDIR") or ""}
    folders = sorted({Path(name).resolve() for name in named if name and Path(name).exists()})
    return [folder for folder in folders if str(folder) in installed or not checkout.is_relative_to(folder)]


def readable() -> list[str]:
    """All that every worker may read."""
    return [*SYSTEM, *map(str, library_folders()), *map(str, own_sources())]


def abi() -> int:
    """The kernel's version of Landlock; 0 without Landlock or its library."""
    try:
        import landlockpy

        return int(landlockpy.abi_version())
    except (ImportError, OSError):
        return 0


def apply(read: Iterable[str], write: Iterable[str]) -> None:
    """Closes all other files to this process and its threads. It can't be taken off.

    Args:
        read: Folders and files to read; what is not there is passed over.
        write: Folders in which files and folders may be made, written, moved and removed.

    Raises:
        OSError: The kernel refuses.
    """
    from landlockpy import AccessFS, Ruleset, Scope

    on_file = AccessFS.READ_FILE
    on_folder = on_file | AccessFS.READ_DIR
    on_scratch = (
        on_folder
        | AccessFS.WRITE_FILE
        | AccessFS.TRUNCATE
        | AccessFS.MAKE_REG
        | AccessFS.MAKE_DIR
        | AccessFS.REMOVE_FILE
        | AccessFS.REMOVE_DIR
        | AccessFS.REFER
    )
    with Ruleset(scoped=Scope.SIGNAL | Scope.ABSTRACT_UNIX_SOCKET) as rules:
        for path in (*read, *(f"/proc/{os.getpid()}/{name}" for name in OWN_PROCESS)):
            if os.path.exists(path):
                rules.allow_path(path, on_folder if os.path.isdir(path) else on_file)
        for path in write:
            rules.allow_path(path, on_scratch)
        rules.allow_path("/dev/null", on_file | AccessFS.WRITE_FILE)
        rules.restrict()
