"""What a forked worker gives up before it runs a line of a submission.

This is the place of the sandbox: its layers (no new privileges, Landlock, seccomp) are added in `confine`, in the fork, where they
cost nothing to the zygote.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import tempfile
from typing import Any, Final

from grader.channel.limits import Limits

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_SET_NO_NEW_PRIVS: Final = 38
KEPT_VARIABLES: Final = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")


def quiet_environment() -> None:
    """Sets what TensorFlow reads while it is imported: no banner, no GPU search noise, no telemetry."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


def confine(limits: Limits) -> None:
    """Makes this process a session of its own, with limits, a bare environment and no tie to the zygote's state.

    Args:
        limits: What the worker may use.
    """
    import resource

    os.setsid()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # Not dumpable: no core files, and no other process of this user may attach to it or read its memory.
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file over its limit is an OSError, not a death
    kept: dict[str, Any] = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    os.environ.clear()
    os.environ.update(kept)
    quiet_environment()
    tempfile.tempdir = None
    random.seed()
    if limits.threads:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(limits.threads)
        tf.config.threading.set_inter_op_parallelism_threads(limits.threads)
