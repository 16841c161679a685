"""What a forked worker gives up before it runs a line of a submission, layer by layer, in the fork, where it costs the zygote nothing.

Always: a session of its own, limits, a bare environment, no new privileges, no core file, death with the zygote.
`privileges`: no capabilities, and a user of its own where the zygote is root's.
`landlock`: no files but libraries, its own sources and its scratch folder (landlock.py).
`seccomp`: no system calls but those the lab needs (seccomp.py).

A layer is put on whole or the worker does not start. `lab doctor` asks this module, run as a program, which layers a machine has.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import random
import signal
import struct
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from grader.channel.limits import Limits
from grader.channel.quiet import QUIET
from grader.worker import landlock, seccomp

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_CAPBSET_DROP: Final = 24
PR_SET_NO_NEW_PRIVS: Final = 38
CAPABILITY_VERSION_3: Final = 0x20080522
CAPABILITIES: Final = 64

STACK_BYTES: Final = 8 * 2**20
PTHREAD_ATTR_BYTES: Final = 128
"""More than the C library's pthread_attr_t has on any machine: 56 on x86-64, 64 on ARM."""

FILES: Final = 1024
"""Files that a worker may have open at once."""

LAYERS: Final = ("privileges", "landlock", "seccomp")
FIRST_UID: Final = 64000
UIDS: Final = 1500
"""Users that stand in for root, numbers that nobody has: systems give people numbers from 1000 up, services numbers below that, and end at
65534. Each zygote takes one by chance, so that zygotes do not share a user's limits and cannot signal each other's workers."""

KEPT_VARIABLES: Final = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")


@dataclass(frozen=True, slots=True)
class Room:
    """Where a worker finds its submission and may write.

    Attributes:
        submission: The submission's files, to read.
        given: What checks write for it, to read.
        scratch: Its own folder, to read and write.
    """

    submission: str
    given: str
    scratch: str


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers that workers get, prepared once in the zygote.

    Attributes:
        names: Those of `LAYERS` that are put on.
        read: What may be read beside the room, for Landlock.
        filter: The compiled system calls, for seccomp.
        tasks: Threads and processes that the worker's user may have (RLIMIT_NPROC), 0 for the system's own limit.
        uid: The user that root's workers count as.
    """

    names: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    filter: seccomp.Filter | None = None
    tasks: int = 0
    uid: int = FIRST_UID


def prepare(names: Sequence[str], threads: int = 0) -> Layers:
    """Prepares layers, before the fork.

    Args:
        names: Some of `LAYERS`.
        threads: Threads that one worker may start, in about; 0 for no limit of ours.

    Raises:
        OSError: One of them is not to be had here.
    """
    if "landlock" in names and landlock.abi() < landlock.LOWEST_ABI:
        raise OSError(f"Landlock {landlock.LOWEST_ABI} is needed, the kernel has {landlock.abi()}")
    uid = some_uid()
    counted_as = uid if _is_root() and "privileges" in names else os.getuid()
    return Layers(
        names=tuple(name for name in LAYERS if name in names),
        read=tuple(landlock.readable()) if "landlock" in names else (),
        filter=seccomp.Filter() if "seccomp" in names else None,
        tasks=_tasks_of(counted_as) + threads if threads else 0,
        uid=uid,
    )


def available() -> dict[str, str]:
    """Tries each layer in a child process.

    Returns:
        By layer: empty where it holds, otherwise why not, one clause.
    """
    return {name: _tried(name) for name in LAYERS}


def usual_stacks() -> None:
    """Gives threads that start from now on a stack of at most 8 MiB, as most systems do.

    The C library takes over the system's limit for a process's own stack, which some machines set to gigabytes; the address space of a
    worker would not hold a few of them.
    """
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_STACK)
    if soft == resource.RLIM_INFINITY or soft <= STACK_BYTES:
        return  # without a limit the C library takes 2 MiB
    libc = ctypes.CDLL(None)
    attributes = ctypes.create_string_buffer(PTHREAD_ATTR_BYTES)
    if libc.pthread_attr_init(attributes) == 0:
        libc.pthread_attr_setstacksize(attributes, ctypes.c_size_t(STACK_BYTES))
        libc.pthread_setattr_default_np(attributes)
        libc.pthread_attr_destroy(attributes)


def confine(limits: Limits, layers: Layers, room: Room) -> None:
    """Makes this process a session of its own, with limits, a bare environment, no tie to the zygote's state, and the layers.

    Args:
        limits: What the worker may use.
        layers: What `prepare` gave.
        room: Its files.

    Raises:
        OSError: A layer cannot be put on.
    """
    import resource

    os.setsid()
    libc = ctypes.CDLL(None, use_errno=True)
    _limit(resource.RLIMIT_CPU, limits.cpu_s, limits.cpu_s + 1)
    _limit(resource.RLIMIT_AS, limits.memory_bytes)
    _limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, FILES)
    if layers.tasks:
        _limit(resource.RLIMIT_NPROC, layers.tasks)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file over its limit is an OSError, not a death
    kept: dict[str, Any] = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    os.environ.clear()
    os.environ.update(kept | QUIET | {"HOME": room.scratch, "TMPDIR": room.scratch})
    tempfile.tempdir = None
    random.seed()
    if limits.threads:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(limits.threads)
        tf.config.threading.set_inter_op_parallelism_threads(limits.threads)
    if "privileges" in layers.names:
        give_up_privileges(libc, layers.uid)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # after the change of user, which clears it
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # Not dumpable: no core files, and no other process of this user may attach to it or read its memory.
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    if "landlock" in layers.names:
        landlock.apply((*layers.read, room.submission, room.given), (room.scratch,))
    if layers.filter is not None:
        layers.filter.apply()


def _limit(kind: int, value: int, most: int | None = None) -> None:
    """Sets a limit of this process's, or the system's own where that is lower already."""
    import resource

    soft, most = value, value if most is None else most
    _, known = resource.getrlimit(kind)
    if known != resource.RLIM_INFINITY:
        soft, most = min(soft, known), min(most, known)
    resource.setrlimit(kind, (soft, most))


def some_uid() -> int:
    """One of the numbers that stand in for root."""
    return FIRST_UID + random.SystemRandom().randrange(UIDS)


def _is_root() -> bool:
    """Whether this is root who can become one of the users that stand in for it, which root of a namespace with one user cannot."""
    if os.geteuid() != 0:
        return False
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            known = [tuple(map(int, line.split())) for line in file]
    except (OSError, ValueError):
        return True
    return any(first <= FIRST_UID and first + count >= FIRST_UID + UIDS for first, _, count in known)


def become_worker_user() -> None:
    """Makes root's process one of another user, for good. Files that only root can read are out of reach then."""
    uid = some_uid()
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def give_up_privileges(libc: Any, uid: int) -> None:
    """Gives up all capabilities.

    Root's process, where it could not become another user's (the interpreter lies in root's own folder, say), keeps root's name for files,
    without the right to pass over their modes; for the number of its threads, and for signals, it counts as the worker's user. Root of a
    namespace that knows no other user is for the kernel the person who made it, and has no privileges but in there.

    Args:
        libc: The C library.
        uid: That user.

    Raises:
        OSError: The kernel refuses.
    """
    if _is_root():
        os.setgroups([])
        os.setresgid(uid, 0, 0)
        os.setresuid(uid, 0, 0)
    for capability in range(CAPABILITIES):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    if libc.capset(ctypes.c_char_p(header), ctypes.c_char_p(bytes(24))) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"capabilities: {os.strerror(number)}")


def _tasks_of(uid: int) -> int:
    """Threads and processes that a user has now, as far as /proc shows them."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{name}").st_uid == uid:
                    count += len(os.listdir(f"/proc/{name}/task"))
    return count


def _tried(name: str) -> str:
    """Puts one layer on a child process and says why it did not hold."""
    try:
        layers = prepare([name])
    except OSError as error:
        return error.strerror or str(error)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        told = b""
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            match name:
                case "privileges":
                    give_up_privileges(libc, layers.uid)
                    _require_limits()
                case "landlock":
                    landlock.apply(layers.read, ())
                case _ if layers.filter is not None:
                    layers.filter.apply()
        except BaseException as error:
            told = str(error).encode()[:400] or type(error).__name__.encode()
        finally:
            os.write(writer, told)
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read().decode("utf-8", "replace")
    _, status = os.waitpid(pid, 0)
    return answer or ("" if status == 0 else f"the process that tried it ended with status {status}")


def _require_limits() -> None:
    """Requires that the number of processes of this process's user can be limited: the kernel limits every user but root."""
    import resource

    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    try:
        pid = os.fork()
    except BlockingIOError:
        return
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    raise OSError(errno.EPERM, "workers would still be root for the kernel, and root's threads cannot be limited")


if __name__ == "__main__":
    if "--become" in sys.argv[1:]:
        become_worker_user()
    sys.stdout.write(json.dumps({"landlock_abi": landlock.abi(), "layers": available()}) + "\n")
