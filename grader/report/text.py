"""Words and text that both reports share: nothing a submission wrote reaches a terminal or a page unescaped."""

from __future__ import annotations

from typing import Final, NamedTuple

from grader.results import Cause, CheckResult, GradeResult, State

LONGEST: Final = 4000
"""Characters of one piece of feedback that are shown; a submission may have printed megabytes."""

PUBLIC_PASSED: Final = "Public checks passed; hidden checks run when the course grades."


class Look(NamedTuple):
    """How a state is shown: a symbol and a word always, a colour where there are colours.

    Attributes:
        symbol: One character.
        ascii: The same where the terminal cannot show it.
        colour: A colour that rich knows; the word says the same.
    """

    symbol: str
    ascii: str
    colour: str


LOOKS: Final = {
    State.PASSED: Look("✓", "+", "green"),
    State.PARTIAL: Look("◐", "~", "yellow"),
    State.FAILED: Look("✗", "x", "red"),
    State.NOT_STARTED: Look("○", "o", "blue"),
    State.COULD_NOT_RUN: Look("-", "-", "magenta"),
    State.UNDECIDED: Look("?", "?", "magenta"),
}


def plain(text: str) -> str:
    r"""Makes text harmless and visible: control, direction and zero-width characters become escapes such as `\x1b`.

    New lines stay, tabs become spaces, and what is longer than `LONGEST` is cut with a remark.
    """
    rest = len(text) - LONGEST
    if rest > 0:
        text = f"{text[:LONGEST]}\n... and {rest} more characters"
    text = text.replace("\r\n", "\n").expandtabs(4)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(character if character == "\n" or character.isprintable() else _escape(character) for character in text)


def one_line(text: str) -> str:
    r"""`plain` for what must stay on its line: a new line is shown as `\n`, so that no text can forge another line of a report."""
    return plain(text).replace("\n", "\\n")


def number(points: float) -> str:
    """Points as a person writes them: `20`, `2.5`, never `20.0`."""
    return f"{round(points, 2):g}" if abs(points) < 1e5 else f"{points:.0f}"


def score(earned: float, points: float) -> str:
    """`18.5/20`."""
    return f"{number(earned)}/{number(points)}"


def section_score(checks: tuple[CheckResult, ...]) -> str:
    """The score of some checks together, `18.5/20`."""
    return score(sum(check.earned for check in checks), sum(check.points for check in checks))


def headline(check: CheckResult) -> str:
    """What is wrong with a check that did not pass, in one line; empty for one without feedback."""
    feedback = check.feedback
    if check.state is State.NOT_STARTED:
        # Where is best; without one the summary says what is not there yet, a file of results/ for example.
        text = (feedback.where or feedback.summary) if feedback else ""
        return f"not started yet: {one_line(text or check.name).removeprefix('not started yet: ')}"
    if feedback is None:
        return ""
    summary = one_line(feedback.summary)
    said_elsewhere = (None, Cause.STUDENT_ERROR, Cause.COULD_NOT_RUN)
    if check.cause in said_elsewhere or summary.lower().startswith(str(check.cause)):
        return summary
    return f"{check.cause}: {summary}"


def closing_lines(result: GradeResult) -> tuple[str, ...]:
    """What may truthfully be said at the end of a grading, one sentence each."""
    checks = result.checks
    if not checks:
        return ("No check ran: no check has that section or name.",)
    lines = []
    if result.undecided:
        lines.append(
            f"{number(result.undecided)} points are undecided, since the grader itself failed; "
            "they are not lost: grade again before the score is used."
        )
    passed = sum(check.state is State.PASSED for check in checks)
    if result.official:
        lines.append(f"Official grade: {passed} of {len(checks)} checks passed, hidden ones included.")
    elif passed == len(checks):
        lines.append(PUBLIC_PASSED)
    else:
        lines.append(f"{passed} of {len(checks)} public checks passed so far; hidden checks run when the course grades.")
    return tuple(lines)


def _escape(character: str) -> str:
    # Surrogates have no UTF-8 form and `unicode_escape` gives them one of letters, as it does for the rest.
    return character.encode("unicode_escape").decode("ascii")
