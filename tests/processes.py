"""What tests ask of other processes."""

from __future__ import annotations

import psutil


def children_running(process: psutil.Process, module: str) -> list[psutil.Process]:
    """The children of a process whose command line has a word; children that end meanwhile are none."""
    found = []
    for child in process.children():
        try:
            if module in child.cmdline():
                found.append(child)
        except psutil.Error:
            continue
    return found
