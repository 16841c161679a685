"""One submission in, one result out: everything that grades goes through here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from grader.checks.plugin import Listener, RubricRun
from grader.errors import LabError
from grader.host.intake import take
from grader.host.launch import Launcher
from grader.host.launch import launcher as make_launcher
from grader.results import CheckResult, GradeResult

RUBRIC = Path(__file__).parent / "rubric"
CONFIG = Path(__file__).parent / "pytest.ini"

WITHOUT: Final = tuple(
    f"-pno:{plugin}"
    for plugin in (
        *("terminal", "debugging", "doctest", "faulthandler", "junitxml", "legacypath", "logging"),
        *("pastebin", "recwarn", "setuponly", "setupplan", "stepwise"),
    )
)
"""What of pytest a grading has no use for; it took a quarter of the time of a session without checks."""


def grade(
    path: Path,
    *,
    keyword: str = "",
    secret: bytes | None = None,
    listener: Listener | None = None,
    worker: str = "auto",
    launcher: Launcher | None = None,
    known: Mapping[str, CheckResult] | None = None,
    threads: int = 0,
    until: Callable[[CheckResult], bool] | None = None,
    called: dict[str, frozenset[str]] | None = None,
) -> GradeResult:
    """Grades one submission.

    Args:
        path: A folder or a zip.
        keyword: Runs only the checks that pytest's `-k` selects with it; all when empty.
        secret: The course's secret, for an official run; None for the public seed.
        listener: Called with each check's result as it falls.
        worker: Kind of worker: `auto`, `zygote` or `subprocess`.
        launcher: One that is there already, left open; `worker` is not looked at then.
        known: Results of earlier runs of the same submission, by the check's name; they are taken over, and only the others run.
        threads: Threads that TensorFlow may use for a submission; 0 for as many as it likes.
        until: Asked after each check; the run ends with the first one that it is true of.
        called: Filled with which of the submission's functions each check called, as `timing.time_online`.

    Returns:
        The result.

    Raises:
        SubmissionError: The path holds no submission.
        SetupError: No worker of that kind can be started here.
        LabError: The keyword selects no check.
    """
    with take(path) as taken, _launcher(worker, launcher) as ready:
        run = RubricRun(taken, ready, secret, listener, known=known, threads=threads, until=until)
        with closing(run), plain_pytest():
            status = pytest.main(arguments(keyword), plugins=[run])
        result = run.result()
    if called is not None:
        called |= run.called
    if run.setup_error is not None:
        raise run.setup_error
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        if status == pytest.ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        raise RuntimeError(f"pytest could not run the rubric: {status!r}")
    if not result.checks:
        raise LabError(
            f"No check is selected by {keyword!r}; try a section such as `data`, or a check's name." if keyword else "The rubric is empty."
        )
    return result


def arguments(keyword: str) -> list[str]:
    """What pytest is given to run the rubric, or the checks that a keyword selects."""
    # The rubric's few asserts are for mypy, so pytest need not compile them anew.
    plain = ["-c", str(CONFIG), "--rootdir", str(CONFIG.parent), "-p", "_hypothesis_pytestplugin", "--assert=plain", *WITHOUT]
    return [*plain, *(["-k", keyword] if keyword else []), str(RUBRIC)]


@contextmanager
def _launcher(worker: str, launcher: Launcher | None) -> Iterator[Launcher]:
    if launcher is not None:
        yield launcher
        return
    with closing(make_launcher(worker)) as made:
        yield made


@contextmanager
def plain_pytest() -> Iterator[None]:
    """Lets pytest run without the options and plugins that happen to be set up around it."""
    changed = {"PYTEST_ADDOPTS": None, "PYTEST_PLUGINS": None, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    before = {name: os.environ.get(name) for name in changed}
    _set(changed)
    try:
        yield
    finally:
        _set(before)


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
