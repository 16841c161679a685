"""The system calls that a worker may make: an allow list under which TensorFlow's whole lab runs, and nothing else.

Threads are allowed, processes are not: no fork, no exec, no sockets, no signals to others, no memory without a name. That is also what
makes RLIMIT_AS and RLIMIT_CPU cover a submission as a whole. What is not listed does not exist (ENOSYS), so that the C library falls back
on what does; what programs ask for in so many words is refused (EPERM); changing modes and times of files does nothing, without an error,
since `shutil.copy` does it in passing.

The filter is compiled once, in the zygote. A worker's own process id, which a signal to itself has to name, is put in its place after the
fork.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import tempfile
from typing import Any, Final

PR_SET_SECCOMP: Final = 22
SECCOMP_MODE_FILTER: Final = 2
CLONE_THREAD: Final = 0x00010000
CLONE_NEW: Final = 0x7E020080
"""All flags of clone(2) that ask for a new namespace, a time namespace among them."""
OWN_PID: Final = 0x5EC0_ADD1
"""Stands for the worker's process id in the compiled filter. Larger than any process id, which has at most 22 bits."""
_INSTRUCTION: Final = struct.Struct("=HBBI")

ALLOWED: Final = tuple(
    """
    access alarm arch_prctl brk chdir clock_getres clock_gettime clock_nanosleep close close_range copy_file_range creat dup dup2 dup3
    epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 exit exit_group faccessat faccessat2
    fadvise64 fchdir fdatasync fgetxattr flock fstat fstatfs fsync ftruncate futex futex_waitv get_mempolicy get_robust_list
    getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer getpgid getpgrp getpid getppid getpriority getrandom
    getresgid getresuid getrlimit getrusage getsid gettid gettimeofday getuid getxattr lgetxattr lseek lstat madvise membarrier mincore
    mkdir mkdirat mlock mlock2 mmap mprotect mremap msync munlock munmap nanosleep newfstatat open openat openat2 pause pipe pipe2 poll
    ppoll pread64 preadv preadv2 pselect6 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv rename renameat renameat2
    restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigtimedwait
    sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_yield select
    sendfile set_robust_list set_tid_address setitimer sigaltstack stat statfs statx sync_file_range sysinfo time times umask uname
    unlink unlinkat wait4 waitid write writev
    """.split()
)

REFUSED: Final = tuple(
    """
    accept accept4 acct add_key adjtimex bind bpf capset chroot clock_adjtime clock_settime connect execve execveat fanotify_init
    finit_module fork fsmount fsopen init_module inotify_init inotify_init1 io_setup io_uring_enter io_uring_register io_uring_setup
    ioperm iopl kexec_load keyctl kill link linkat listen lookup_dcookie mbind memfd_create memfd_secret migrate_pages mknod mknodat
    mount mount_setattr move_mount move_pages mq_notify mq_open msgget name_to_handle_at open_by_handle_at open_tree perf_event_open
    personality pidfd_getfd pidfd_open pidfd_send_signal pivot_root process_madvise process_vm_readv process_vm_writev ptrace quotactl
    reboot recvfrom recvmmsg recvmsg request_key rt_sigqueueinfo rt_tgsigqueueinfo sched_setaffinity sched_setattr sched_setparam
    sched_setscheduler semget sendmmsg sendmsg sendto set_mempolicy setdomainname setfsgid setfsuid setgid setgroups sethostname setns
    setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid settimeofday setuid shmat shmctl shmget shutdown socket
    socketpair swapoff swapon symlink symlinkat sync syncfs syslog timer_create tkill truncate umount2 unshare uselib userfaultfd vfork
    vhangup vmsplice
    """.split()
)

WITHOUT_EFFECT: Final = (
    "chmod",
    "chown",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "fchown",
    "fchownat",
    "futimesat",
    "lchown",
    "utime",
    "utimensat",
    "utimes",
)

NO_ATTRIBUTES: Final = tuple(
    """
    listxattr llistxattr flistxattr setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
    """.split()
)

_FCNTL: Final = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032)
"""F_DUPFD, F_GETFD ... F_SETLKW, the same for open file descriptions, F_DUPFD_CLOEXEC, F_GETPIPE_SZ. Not F_SETOWN and F_SETSIG, which
send signals to other processes."""

_IOCTL: Final = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS and TIOCGWINSZ (is it a terminal, and how wide), FIONREAD, FIONBIO, FIONCLEX, FIOCLEX. Not TIOCSTI, which types."""

_PRCTL: Final = (2, 3, 15, 16, 21, 23, 27, 30, 38, 39, 0x53564D41)
"""PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP, PR_CAPBSET_READ, PR_GET_SECUREBITS, PR_GET_TIMERSLACK,
PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_SET_VMA."""


class Filter:
    """The compiled filter. Made once; applied by each worker.

    Raises:
        OSError: libseccomp is missing or refuses.
    """

    def __init__(self) -> None:
        self._program = _compile()

    def apply(self) -> None:
        """Puts this process, which has one thread, and all threads that it will start under the filter. It can't be taken off.

        Raises:
            OSError: The kernel refuses.
        """
        program = bytearray(self._program)
        own = os.getpid()
        for offset in range(0, len(program), _INSTRUCTION.size):
            code, when_true, when_false, operand = _INSTRUCTION.unpack_from(program, offset)
            if operand == OWN_PID:
                _INSTRUCTION.pack_into(program, offset, code, when_true, when_false, own)
        # struct sock_fprog: the number of instructions, and where they are
        buffer = (ctypes.c_char * len(program)).from_buffer(program)
        header = struct.pack("@HP", len(program) // _INSTRUCTION.size, ctypes.addressof(buffer))
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(header), 0, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"seccomp: {os.strerror(number)}")


def _compile() -> bytes:
    try:
        import pyseccomp as seccomp
    except (ImportError, RuntimeError, AttributeError) as error:
        raise OSError(errno.ENOSYS, f"libseccomp cannot be used ({error}; on Debian and Ubuntu: apt-get install libseccomp2)") from error
    made = seccomp.SyscallFilter(seccomp.ERRNO(errno.ENOSYS))
    made.set_attr(seccomp.Attr.ACT_BADARCH, seccomp.KILL_PROCESS)  # 32-bit calls on a 64-bit system
    for name in ALLOWED:
        _add(made, seccomp.ALLOW, name)
    for name in REFUSED:
        _add(made, seccomp.ERRNO(errno.EPERM), name)
    for name in WITHOUT_EFFECT:
        _add(made, seccomp.ERRNO(0), name)
    for name in NO_ATTRIBUTES:
        _add(made, seccomp.ERRNO(errno.ENOTSUP), name)
    equal, masked = seccomp.EQ, seccomp.MASKED_EQ
    # A thread, and nothing that asks for a namespace.
    _add(made, seccomp.ALLOW, "clone", seccomp.Arg(0, masked, CLONE_THREAD | CLONE_NEW, CLONE_THREAD))
    _add(made, seccomp.ERRNO(errno.EPERM), "clone", seccomp.Arg(0, masked, CLONE_THREAD, 0))
    _add(made, seccomp.ALLOW, "tgkill", seccomp.Arg(0, equal, OWN_PID))
    for pid in (0, OWN_PID):
        _add(made, seccomp.ALLOW, "prlimit64", seccomp.Arg(0, equal, pid), seccomp.Arg(2, equal, 0))
    for name, commands in (("fcntl", _FCNTL), ("ioctl", _IOCTL)):
        for command in commands:
            _add(made, seccomp.ALLOW, name, seccomp.Arg(1, masked, 0xFFFFFFFF, command))
    for option in _PRCTL:
        _add(made, seccomp.ALLOW, "prctl", seccomp.Arg(0, masked, 0xFFFFFFFF, option))
    with tempfile.TemporaryFile() as file:
        made.export_bpf(file)
        file.seek(0)
        return file.read()


def _add(made: Any, action: int, name: str, *arguments: Any) -> None:
    # A name that this architecture or version of the library does not know cannot be called by that name either.
    try:
        made.add_rule(action, name, *arguments)
    except (OSError, ValueError):
        if name in ("clone", "execve", "openat", "read"):
            raise
