"""Makes `pytest grader` the same run as `lab grade`, with the same report."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from grader.checks.plugin import RubricRun
from grader.errors import LabError
from grader.host.intake import take
from grader.host.launch import launcher
from grader.report.terminal import TerminalReport

_STACK = pytest.StashKey[ExitStack]()
_RUN = pytest.StashKey[tuple[RubricRun, TerminalReport]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option that names the submission."""
    parser.addoption("--submission", default="assignment", metavar="PATH", help="folder or zip to grade (default: assignment)")


def pytest_configure(config: pytest.Config) -> None:
    """Takes the submission and starts the zygote, unless `lab grade` has done so."""
    if any(isinstance(plugin, RubricRun) for plugin in config.pluginmanager.get_plugins()) or config.option.collectonly:
        return
    stack = config.stash[_STACK] = ExitStack()
    console = Console(highlight=False)
    report = stack.enter_context(TerminalReport(console))
    # Ours is the only report: pytest's own header, progress and summary would say the same again.
    config.option.reportchars, config.option.verbose, config.option.no_header = "", -2, True
    path = Path(config.invocation_params.dir, config.getoption("submission"))
    try:
        taken = stack.enter_context(take(path))
        started = launcher()
    except LabError as error:
        stack.close()
        raise pytest.UsageError(str(error)) from None
    stack.callback(started.close)
    report.start(taken.name)
    run = RubricRun(taken, started, None, report.check)
    stack.callback(run.close)
    config.stash[_RUN] = (run, report)
    config.pluginmanager.register(run, "lab-rubric")


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport, config: pytest.Config) -> Any:
    """Leaves the verdicts to our own report."""
    if _RUN not in config.stash or (report.passed and report.when != "call"):
        return None
    return ("passed" if report.passed else "failed", "", "")


def pytest_terminal_summary(config: pytest.Config) -> None:
    """Shows the table and the total."""
    if _RUN in config.stash:
        run, report = config.stash[_RUN]
        if run.setup_error is None:
            report.finish(run.result())
        else:
            report.close()
            raise pytest.UsageError(str(run.setup_error))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends the worker and removes what was taken."""
    if _STACK in config.stash:
        config.stash[_STACK].close()
