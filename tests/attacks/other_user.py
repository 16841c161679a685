"""Runs the attacks as an unprivileged user, with whatever Python that user can run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

UID = 65432
"""A number that nobody has."""

ROOT = Path(__file__).parents[2]
NEEDED = ("grader", "solutions", "tests/attacks")


@dataclass(frozen=True)
class OtherUser:
    """A user without privileges, for `subprocess.run`.

    Attributes:
        python: An interpreter that this user can run, and that finds the packages and a copy of the grader.
        who: How `subprocess.run` becomes this user, with its environment and a folder of its own.
    """

    python: str
    who: dict[str, Any]


@contextmanager
def other_user() -> Iterator[OtherUser | str]:
    """Prepares what a user without privileges needs; gives why it cannot be had where it cannot."""
    if os.geteuid() != 0:
        yield "this is no root's process, so it runs as an unprivileged user already"
        return
    with tempfile.TemporaryDirectory(prefix="lab-other-") as place:
        home = Path(place)
        home.chmod(0o755)
        for name in NEEDED:
            shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__", ".state"), dirs_exist_ok=True)
        (home / "tests" / "__init__.py").touch()
        (home / "own").mkdir()
        os.chown(home / "own", UID, UID)
        packages = sysconfig.get_path("purelib")
        environment = {
            "PYTHONPATH": f"{home}{os.pathsep}{packages}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(home / "own"),
            "TMPDIR": str(home / "own"),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            **{name: value for name, value in os.environ.items() if name.startswith("OPENBLAS_")},
        }
        who: dict[str, Any] = {"user": UID, "group": UID, "extra_groups": [], "env": environment, "cwd": home / "own"}
        python = find_python(who, home)
        if python is None:
            yield f"no Python {sys.version_info[0]}.{sys.version_info[1]} that such a user can run finds the packages in {packages}"
        else:
            yield OtherUser(python, who)


def run_as_other(tiers: list[str]) -> dict[str, list[dict[str, str]]] | str:
    """Runs `python -m tests.attacks --json` as a user without privileges.

    Args:
        tiers: Tiers to run.

    Returns:
        Rows by tier, or why it could not be run.
    """
    with other_user() as other:
        if isinstance(other, str):
            return other
        command = [other.python, "-P", "-m", "tests.attacks", "--json", *(f"--tier={tier}" for tier in tiers)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False, **other.who)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines()
            return f"the run ended with status {done.returncode}: {lines[-1] if lines else 'without a word'}"
        found: dict[str, list[dict[str, str]]] = json.loads(done.stdout.splitlines()[-1])
        return found


def find_python(who: dict[str, Any], home: Path) -> str | None:
    """A Python that an unprivileged user can run, and that finds the packages.

    Args:
        who: How `subprocess.run` becomes that user, with its environment.
        home: A folder for a copy of the interpreter, where this one lies in a folder that only root can enter.

    Returns:
        Its path; None where there is none.
    """
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    candidates = [sys.executable, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"]
    for candidate in candidates:
        if _works(candidate, who):
            return candidate
    # The interpreter lies in a folder that only root can enter (a version manager's, say): a copy runs as well.
    base = Path(sys.base_prefix)
    shutil.copytree(base, home / "python", symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "site-packages", "test"))
    copy = str(home / "python" / "bin" / f"python{version}")
    return copy if _works(copy, who) else None


def _works(candidate: str, who: dict[str, Any]) -> bool:
    try:
        done = subprocess.run([candidate, "-P", "-c", "import numpy, msgpack, grader"], capture_output=True, check=False, **who)
    except OSError:
        return False
    return done.returncode == 0
