"""Chooses how workers are started on this machine, and says when that is too little for code of strangers."""

from __future__ import annotations

import os
import sys

from grader.errors import SetupError
from grader.host.forked import ZygoteLauncher
from grader.host.jail import Tier
from grader.host.process import Exit, Launcher, WorkerProcess
from grader.host.room import Room, make_rooms
from grader.host.spawned import SubprocessLauncher

__all__ = [
    "Exit",
    "Launcher",
    "Room",
    "SubprocessLauncher",
    "WorkerProcess",
    "ZygoteLauncher",
    "launcher",
    "make_rooms",
    "refuse_without_sandbox",
]


def refuse_without_sandbox(launcher: Launcher, *, unsandboxed: bool = False) -> None:
    """Refuses to run code of strangers where nothing holds it.

    Args:
        launcher: What would run it.
        unsandboxed: Whether somebody said in so many words that it is to be run all the same.

    Raises:
        SetupError: The launcher gives tier C.
    """
    isolation = launcher.isolation
    if isolation.tier is Tier.C and not unsandboxed:
        raise SetupError(
            f"This machine gives no sandbox ({'; '.join(isolation.missing)}), and a class is not graded without: a submission could "
            "read and change whatever you can. Mend that (`lab doctor` tells how), use a machine or container that holds nothing else, "
            "or say `--unsandboxed`."
        )


def launcher(kind: str = "auto", *, tier: str | None = None, devices: bool = False) -> Launcher:
    """Makes the launcher for this machine.

    Args:
        kind: `auto`, `zygote` or `subprocess`. The environment variable LAB_WORKER stands in for `auto`.
        tier: The highest tier to use (A, B or C); by default $LAB_TIER, or the best that the machine gives.
        devices: Whether workers may use GPUs, for measurements of a person's own code; no jail then.

    Returns:
        A launcher; close it when done.

    Raises:
        SetupError: The kind is unknown or not available here.
    """
    if kind == "auto":
        kind = os.environ.get("LAB_WORKER") or ("zygote" if sys.platform == "linux" else "subprocess")
    match kind:
        case "zygote" if sys.platform == "linux":
            return ZygoteLauncher(tier, devices=devices)
        case "subprocess":
            return SubprocessLauncher()
    raise SetupError(f"Expected the worker kind `zygote` (Linux only) or `subprocess`, received {kind!r} on {sys.platform}.")
