"""`lab watch`: grades a section again as soon as its file is saved, on a zygote that stays warm.

Only the checks that the edit concerns run; the others keep their verdict (see `grader.edits`).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text
from watchfiles import Change, DefaultFilter
from watchfiles import watch as watch_files

from grader.edits import Sources
from grader.errors import LabError
from grader.grade import grade
from grader.host.launch import launcher
from grader.host.warm import WarmZygote
from grader.lab import FINDINGS_FILE
from grader.report.terminal import TerminalReport
from grader.results import CheckResult, GradeResult

SETTLE_MS: Final = 50
"""Editors save in several steps (a temporary file, a rename); changes within this time are one save."""

LOOK_MS: Final = 200
"""How often the watch looks up, so that Ctrl-C ends it at once."""


def watch(submission: Path, sections: Sequence[str], console: Console) -> None:
    """Grades sections once, then again whenever their file is saved, until Ctrl-C.

    Args:
        submission: The submission's folder.
        sections: Sections to watch. A section that a changed file does not belong to is left alone.
        console: Where reports go.

    Raises:
        LabError: There is no such folder, or no worker can be started.
    """
    if not submission.is_dir():
        raise LabError(f"Expected a folder to watch, received {submission}.")
    with WarmZygote(), closing(launcher()) as warm:
        seen = _Seen()

        def run(names: Sequence[str]) -> None:
            for name in names:
                with TerminalReport(console) as report:
                    try:
                        before = Sources(submission)
                        known, called = seen.still(before), dict[str, frozenset[str]]()
                        keyword = f"test_{name}.py"
                        result = grade(submission, keyword=keyword, listener=report.check, launcher=warm, known=known, called=called)
                        report.finish(result)
                        seen.add(result, before, called, known)
                    except LabError as error:
                        # A file that is being renamed, say: the next save is graded again.
                        console.print(Text(str(error)))

        saves = watch_files(
            submission, watch_filter=_Sources(), debounce=SETTLE_MS, step=SETTLE_MS, rust_timeout=LOOK_MS, yield_on_timeout=True
        )
        next(saves)  # starts watching: a save during the first grading, or any other, is seen when that has ended
        run(sections)
        for changes in saves:
            touched = affected(changes, sections)
            if touched:
                saved = ", ".join(sorted({Path(path).name for _, path in changes}))
                console.rule(Text(f"{saved} saved at {time.strftime('%H:%M:%S')}"))
                run(touched)


def affected(changes: Collection[tuple[Change, str]], sections: Sequence[str]) -> list[str]:
    """The sections to grade again after some files changed.

    Args:
        changes: Kinds of change and paths.
        sections: The sections that are watched.

    Returns:
        Those whose module changed; all of them when findings.toml did.
    """
    names = {Path(path).name for _, path in changes}
    return [section for section in sections if f"{section}.py" in names or FINDINGS_FILE in names]


class _Seen:
    """Verdicts, each with what it depends on."""

    def __init__(self) -> None:
        self._results: dict[str, tuple[CheckResult, frozenset[str], str]] = {}

    def still(self, sources: Sources) -> dict[str, CheckResult]:
        """The verdicts that an edit does not concern."""
        return {name: result for name, (result, called, mark) in self._results.items() if sources.fingerprint(called) == mark}

    def add(self, result: GradeResult, sources: Sources, called: Mapping[str, frozenset[str]], known: Collection[str]) -> None:
        """Notes new verdicts; one of a check that called nothing (findings, a check that could not run) is not kept."""
        for check in result.checks:
            if check.name in known:
                continue
            self._results.pop(check.name, None)
            if functions := called.get(check.name):
                self._results[check.name] = (check, functions, sources.fingerprint(functions))


class _Sources(DefaultFilter):
    """Modules and findings; not results, nor what editors leave beside them."""

    def __call__(self, change: Change, path: str) -> bool:
        return change != Change.deleted and (path.endswith(".py") or Path(path).name == FINDINGS_FILE) and super().__call__(change, path)
