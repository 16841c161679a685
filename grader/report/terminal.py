"""A grading on the terminal: a line for each verdict as it falls, feedback below those that did not pass, a table at the end.

Meaning never hangs on colour: each state has a symbol and a word. Colours follow NO_COLOR and are left out when the output is piped.
"""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.status import Status
from rich.table import Table
from rich.text import Text

from grader.report.text import LOOKS, closing_lines, headline, one_line, plain, score, section_score
from grader.results import CheckResult, Feedback, GradeResult, State

_INDENT: Final = 4


class TerminalReport:
    """Shows one grading.

    Call `check` with each verdict as it falls and `finish` at the end. `finish` alone shows the checks it has not seen, so a stored
    result can be shown too. As a context manager it also removes the spinner when the grading is interrupted.

    Args:
        console: Where to write; by default standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console if console is not None else Console(highlight=False)
        self._symbols = _can_show(self._console, "".join(look.symbol for look in LOOKS.values()))
        self._shown: set[str] = set()
        self._section = ""
        self._section_checks: list[CheckResult] = []
        self._status: Status | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def start(self, submission: str) -> None:
        """Says at once that something happens: importing TensorFlow takes seconds before the first verdict."""
        self._line(f"Grading {one_line(submission)}")
        if self._console.is_terminal:
            # A spinner of ASCII characters moves everywhere; rich leaves it out on dumb terminals.
            self._status = self._console.status("starting TensorFlow ...", spinner="line")
            self._status.start()

    def check(self, result: CheckResult) -> None:
        """Shows one verdict, with feedback unless it passed."""
        if result.section != self._section:
            self._close_section()
            self._section = result.section
            self._line()
            self._line(one_line(result.section), "bold")
        self._shown.add(result.name)
        self._section_checks.append(result)
        self._console.print(self._verdict(result))
        if result.state is not State.PASSED:
            self._feedback(result)
        if self._status is not None:
            self._status.update(Text(f"{len(self._shown)} checks done ..."))

    def finish(self, result: GradeResult) -> None:
        """Shows checks that were not shown yet, remarks, the table of sections, the total, and what may be said about it."""
        for check in result.checks:
            if check.name not in self._shown:
                self.check(check)
        self._close_section()
        self.close()
        self._line()
        for note in result.notes:
            self._line(f"Note: {one_line(note)}")
        self._line(f"Isolation: {one_line(result.isolation)}", "dim")
        if result.checks:
            self._console.print(self._table(result))
            self._line(score(result.score, result.points), "bold")
        for line in closing_lines(result):
            self._line(line)

    def close(self) -> None:
        """Removes the spinner."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _close_section(self) -> None:
        if self._section_checks:
            self._line(f"{one_line(self._section)} {section_score(tuple(self._section_checks))}", "bold")
        self._section_checks = []

    def _verdict(self, result: CheckResult) -> RenderableType:
        look = LOOKS[result.state]
        symbol = look.symbol if self._symbols else look.ascii
        title = Text(self._encodable(one_line(result.title)))
        title.append(f" ({self._encodable(one_line(result.name.partition('/')[2] or result.name))})", "dim")
        row = Table.grid(padding=(0, 1))
        row.add_column(width=15, no_wrap=True, overflow="crop")
        row.add_column(width=7, no_wrap=True, overflow="crop", justify="right")
        row.add_column(overflow="fold")
        row.add_row(Text(f"{symbol} {result.state}", look.colour), Text(score(result.earned, result.points)), title)
        return row

    def _feedback(self, result: CheckResult) -> None:
        if text := headline(result):
            self._block(text)
        if result.feedback is not None and result.state is not State.NOT_STARTED:
            self._details(result.feedback)
        if result.command and result.state in (State.FAILED, State.PARTIAL, State.UNDECIDED):
            # Soft wrap: a command that is broken over two lines cannot be copied.
            self._line(f"    run this check alone: {one_line(result.command)}", soft_wrap=True)

    def _details(self, feedback: Feedback) -> None:
        for line in feedback.comparison:
            self._block(line, indent=_INDENT + 2)
        if feedback.help:
            self._block(f"help: {feedback.help}")
        if feedback.example:
            self._block("smallest failing example:")
            # Not indented and not wrapped, so that it can be pasted.
            self._line(plain(feedback.example).strip("\n"), "cyan", soft_wrap=True)
        if feedback.where:
            self._block(f"where: {one_line(feedback.where)}")
        if feedback.printed.strip():
            self._block("last lines that the submission printed in this check:")
            self._block(feedback.printed.rstrip(), indent=_INDENT + 2, style="dim")

    def _table(self, result: GradeResult) -> Table:
        table = Table(box=box.SIMPLE if self._symbols else box.ASCII2, show_footer=True, pad_edge=False)
        table.add_column("section", "total", overflow="crop")
        table.add_column("checks passed", _passed(result.checks), justify="right", overflow="crop")
        table.add_column("points", score(result.score, result.points), justify="right", overflow="crop")
        for name in result.sections:
            table.add_row(name, _passed(result.section(name)), section_score(result.section(name)))
        return table

    def _block(self, text: str, *, indent: int = _INDENT, style: str = "") -> None:
        body = Text(self._encodable(plain(text)), style, overflow="fold")
        self._console.print(Padding(body, (0, 0, 0, indent)), highlight=False)

    def _line(self, text: str = "", style: str = "", *, soft_wrap: bool = False) -> None:
        self._console.print(Text(self._encodable(text), style, overflow="fold"), highlight=False, soft_wrap=soft_wrap)

    def _encodable(self, text: str) -> str:
        # A pipe on Windows or a C locale cannot take every character, and a report must not die of a student's umlaut.
        if _can_show(self._console, text):
            return text
        return text.encode(self._console.encoding, "backslashreplace").decode(self._console.encoding)


def _passed(checks: tuple[CheckResult, ...]) -> str:
    return f"{sum(check.state is State.PASSED for check in checks)} of {len(checks)}"


def _can_show(console: Console, text: str) -> bool:
    try:
        text.encode(console.encoding)
    except UnicodeEncodeError:
        return False
    return True
