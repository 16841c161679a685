"""Lays out what attackers want, runs attacks against the real grader in one tier, and judges who won."""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console

import grader
from grader.bank import overlay, write_reference
from grader.channel.limits import Limits
from grader.grade import grade
from grader.host import jail, limits
from grader.host.forked import ZygoteLauncher
from grader.host.jail import Jail
from grader.host.submission import Submission
from grader.outcomes import CheckEnded, CheckFailed
from grader.report.html import render_html
from grader.report.terminal import TerminalReport
from grader.results import GradeResult, State
from tests.attacks.calls import HEAD
from tests.attacks.grades import GradeAttack

SOLUTIONS = Path(__file__).parents[2] / "solutions"
PACKAGE = Path(grader.__file__).parent
SECRET = b"lab-secret-of-the-course-" + str(secrets.randbelow(10**12)).encode()


def short() -> Limits:
    """Limits of an attack: a few seconds, 3 GiB, 64 MB of disk."""
    return replace(limits.CHECK, wall_s=4.0, cpu_s=8, memory_bytes=3 * 2**30, scratch_bytes=2**26, scratch_files=2000)


@dataclass
class Arena:
    """One tier's zygote, and what attackers want.

    Attributes:
        launcher: Starts workers in the tier.
        folder: Holds the secret, the victim and submissions.
        canary: The text that must not be seen.
        connected: Whether somebody has connected to a listener of the grader's user.
    """

    launcher: ZygoteLauncher
    folder: Path
    canary: str
    sitting: subprocess.Popen[bytes]
    port: int
    abstract: str
    connected: threading.Event

    @property
    def secret(self) -> Path:
        """A file with the canary that the grader's user can read."""
        return self.folder / "secret"

    @property
    def victim(self) -> Path:
        """A file that the grader's user can change."""
        return self.folder / "victim"

    def call(self, source: str) -> str:
        """Runs an attack of `calls`.

        Args:
            source: Defines `f`.

        Returns:
            Empty when it was stopped; otherwise what it won.
        """
        if self.sitting.poll() is not None:
            self.sitting = _sit(self.canary)
        place = Path(tempfile.mkdtemp(dir=self.folder))
        (place / "training.py").write_text(HEAD + source + "\n", encoding="utf-8")
        self.victim.write_text("whole")
        self.victim.chmod(0o644)
        self.connected.clear()
        mine = psutil.Process()
        before = {child.pid for child in mine.children(recursive=True)}
        won: Any = None
        with closing(Submission(place, self.launcher, short())) as other:
            target = {
                "secret": str(self.secret),
                "victim": str(self.victim),
                "package": str(PACKAGE),
                "sitting": self.sitting.pid,
                "port": self.port,
                "abstract": self.abstract,
                "other": str(other.scratch),
            }
            for _ in range(2):  # the second time as the next check, for what the first one left behind
                with closing(Submission(place, self.launcher, short())) as submission, contextlib.suppress(CheckFailed, CheckEnded):
                    won = won or submission.training.f(target)
        return self._won(won, before)

    def _won(self, won: Any, before: set[int]) -> str:
        if won:
            return f"it got {str(won)[:60]!r}"
        if self.victim.read_text() != "whole" or self.victim.stat().st_mode & 0o777 != 0o644 or list(self.folder.glob("victim.*")):
            return "a file outside was changed"
        if self.connected.is_set():
            return "it connected"
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.sitting.wait(0.01)
            return "another process was ended"
        left = {child.pid for child in psutil.Process().children(recursive=True)} - before - {self.sitting.pid}
        return f"{len(left)} processes are left" if left else ""

    def grade(self, attack: GradeAttack) -> str:
        """Runs an attack of `grades` with the course's secret.

        Args:
            attack: The attack.

        Returns:
            Empty when it was stopped; otherwise what it won.
        """
        section, _, check = attack.check.partition("/")
        folder = write_reference(SOLUTIONS, Path(tempfile.mkdtemp(dir=self.folder)) / "submission")
        if attack.check in ("training/accuracy", "timing/findings"):
            shutil.copytree(SOLUTIONS / "results", folder / "results", ignore=shutil.ignore_patterns(".*"))
        mark = self.folder / "mark"
        mark.unlink(missing_ok=True)
        module = folder / f"{section}.py"
        if attack.changes:
            module.write_text(overlay(module.read_text(encoding="utf-8"), attack.changes), encoding="utf-8")
        for name, content in attack.files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.replace(b"{mark!r}", repr(str(mark)).encode()).replace(b"{mark}", str(mark).encode()))
        before = {child.pid for child in psutil.Process().children(recursive=True)}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(limits, "CHECK", short())
            # In the section's own file: the same word may stand in another section's check.
            result = grade(folder, keyword=f"test_{section}.py and {check}", secret=SECRET, launcher=self.launcher)
        aimed = next(one for one in result.checks if one.name == attack.check)
        if aimed.earned:
            return f"it earned {aimed.earned:g} of {aimed.points:g} points"
        if aimed.state is State.UNDECIDED:
            return "it made the grader fail"
        if mark.exists():
            return "code of a file beside the submission ran"
        if leak := self._leak(result):
            return leak
        left = {child.pid for child in psutil.Process().children(recursive=True)} - before
        return f"{len(left)} processes are left" if left else ""

    def _leak(self, result: GradeResult) -> str:
        page = render_html(result)
        terminal = io.StringIO()
        with TerminalReport(Console(file=terminal, width=100, highlight=False)) as report:
            report.finish(result)
        for name, text in (("page", page), ("terminal", terminal.getvalue())):
            if "\x1b" in text or "\u202e" in text:
                return f"control characters reached the {name}"
            if SECRET.decode() in text or self.canary in text:
                return f"a secret reached the {name}"
        if "<script>" in page or "<img" in page:
            return "HTML reached the page"
        return "a hidden example reached the student" if "told: [" in page else ""

    def innocent(self) -> str:
        """Grades the reference beside and after all that: empty when it earns everything."""
        result = grade(SOLUTIONS, keyword="early_stopping or wilson or class_counts", secret=SECRET, launcher=self.launcher)
        return "" if result.score == result.points else f"the next submission got {result.score:g} of {result.points:g}"


@contextmanager
def arena(tier: str | Jail) -> Iterator[Arena]:
    """An arena in a tier, or in a jail of one's own choice (a single layer, say)."""
    folder = Path(tempfile.mkdtemp(prefix="lab-arena-"))
    canary = f"canary-{secrets.token_hex(8)}"
    abstract = f"lab-{secrets.token_hex(4)}"
    connected = threading.Event()
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("LAB_RUNTIME_DIR", str(folder / "run"))
        patch.setenv("LAB_SECRET", canary)
        (folder / "secret").write_text(canary)
        (folder / "victim").write_text("whole")
        listeners = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)]
        listeners[1].bind(f"\0{abstract}")
        listeners[1].listen()
        for listener in listeners:
            stack.callback(listener.close)
            threading.Thread(target=_accept, args=(listener, connected), daemon=True).start()
        with pytest.MonkeyPatch.context() as chosen:
            if isinstance(tier, Jail):
                chosen.setattr(jail, "choose", lambda wanted=None: tier)
            launcher = stack.enter_context(closing(ZygoteLauncher(tier if isinstance(tier, str) else None)))
        launcher.isolation  # noqa: B018 - starts the zygote, whose processes are not an attack's
        made = Arena(launcher, folder, canary, _sit(canary), listeners[0].getsockname()[1], abstract, connected)
        try:
            yield made
        finally:
            made.sitting.kill()
            made.sitting.wait()


def fools_naive(attack: GradeAttack) -> bool:
    """Whether a grader in the same process takes the attack for a right answer."""
    with tempfile.TemporaryDirectory() as place:
        source = "from typing import NamedTuple\nclass Stop(NamedTuple):\n    epochs_run: int\n    best_epoch: int\n" + attack.changes
        Path(place, "attack.py").write_text(source, encoding="utf-8")
        naive = Path(__file__).with_name("naive.py")
        done = subprocess.run([sys.executable, str(naive), place], capture_output=True, timeout=60, check=False)
        return done.returncode == 0


def _sit(canary: str) -> subprocess.Popen[bytes]:
    # A process of the grader's user, like the grader itself: with a secret in its command line and environment.
    code = "import time; time.sleep(3600)"
    environment = {"LAB_SECRET": canary, "PATH": os.environ.get("PATH", "")}
    return subprocess.Popen([sys.executable, "-c", code, canary], env=environment, start_new_session=True)


def _accept(listener: socket.socket, connected: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            connected.set()
            connection.close()


def as_json(rows: list[dict[str, str]]) -> str:
    """Rows of the table, for the process that runs attacks as another user."""
    return json.dumps(rows)
