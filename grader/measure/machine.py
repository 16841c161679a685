"""What a measurement was made with: the machine and the software."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from grader.artifacts import Dataset, Machine, Threads
from grader.lab import MODULE_FILES
from grader.measure.state import source_digest


def describe(software: dict[str, Any], dataset: Dataset, plan: str, folder: Path) -> Machine:
    """Describes this machine.

    Args:
        software: What the worker's tool `software` told, and its `peak_macs_per_s`.
        dataset: The data that was measured on.
        plan: The plan's name.
        folder: The submission's folder, for the digests of its sources.

    Returns:
        The content of machine.json.
    """
    return Machine(
        cpu=cpu_name(),
        cores=psutil.cpu_count() or os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        tensorflow=str(software["tensorflow"]),
        keras=str(software["keras"]),
        threads=Threads(intra=int(software["threads"]["intra"]), inter=int(software["threads"]["inter"])),
        load_average=load_average(),
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        plan=plan,
        peak_macs_per_s=software.get("peak_macs_per_s"),
        dataset=dataset,
        sources=source_digests(folder),
    )


def source_digests(folder: Path) -> dict[str, str]:
    """The digests of the student's sources, by file.

    Args:
        folder: The submission's folder.
    """
    return {name: source_digest(folder / name) for name in MODULE_FILES}


def load_average() -> list[float]:
    """Load over 1, 5 and 15 minutes: how many processes wanted a core."""
    return [round(value, 2) for value in psutil.getloadavg()]


def cpu_name() -> str:
    """The processor's name, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
