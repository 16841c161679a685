"""Findings: what a student wrote into findings.toml, held against what their own measurements support.

interval = finding(folder, "data", "accuracy_interval", list, length=2)
supported(interval, wilson(...), "results/training.json")
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from grader.artifacts import UNANSWERED, MissingResults, read_findings
from grader.checks.compare import Mistake, fail, show
from grader.lab import FINDINGS_FILE
from grader.outcomes import CheckEnded, CheckFailed
from grader.results import Feedback, State

ROUNDED: Final = 0.02
"""Allowed relative error: a value read off and rounded to two or three significant digits is within it."""

_KINDS: Final = {
    float: "a number",
    int: "a whole number",
    str: "text in quotes",
    bool: "true or false",
    list: "a list of numbers in square brackets",
}
_FACTORS: Final = (
    (100.0, "in percent", "Write a share as a fraction of 1: 0.5, not 50."),
    (1000.0, "a thousand times too large", "Look at the unit: 1 s is 1,000 ms, and 1 ms is 1,000 us."),
    (0.001, "a thousand times too small", "Look at the unit: 1 s is 1,000 ms, and 1 ms is 1,000 us."),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One answered finding.

    Attributes:
        section: Its table.
        key: Its key there.
        value: A float, int, str or bool, or a list of floats.
    """

    section: str
    key: str
    value: Any

    @property
    def name(self) -> str:
        """Where it stands: `findings.toml [model] most_macs_share`."""
        return _name(self.section, self.key)


def finding(folder: Path, section: str, key: str, kind: type, *, length: int | None = None) -> Finding:
    """Reads one finding.

    Args:
        folder: The submission's folder.
        section: The table.
        key: The key in it.
        kind: `float`, `int`, `str`, `bool`, or `list` for a list of numbers.
        length: How many numbers a list should have.

    Returns:
        The finding, its value of the kind that is asked for.

    Raises:
        CheckEnded: Not started: the file, the table or the key is not there, or still holds "?".
        CheckFailed: The value is of another kind, or infinite.
        ResultsError: The file is not TOML.
    """
    try:
        value = read_findings(folder).get(section, {}).get(key, UNANSWERED)
    except MissingResults:
        value = UNANSWERED
    if _unanswered(value):
        raise CheckEnded(
            State.NOT_STARTED,
            None,
            Feedback(
                f'not started yet: assignment/{FINDINGS_FILE}: {key} in [{section}] is still "?"', where=f"assignment/{FINDINGS_FILE}"
            ),
        )
    name = _name(section, key)
    wanted = _KINDS[kind] if length is None else f"{length} numbers in square brackets"
    taken = _take(value, kind)
    if taken is None or (length is not None and len(taken) != length):
        fail(f"{name} should be {wanted}", f"expected: {wanted}", f"received: {show(value)}")
    return Finding(section, key, taken)


def supported(
    found: Finding,
    expected: Any,
    source: str,
    *,
    relative: float = ROUNDED,
    absolute: float = 0.0,
    help: str = "",
    mistakes: Sequence[Mistake] = (),
) -> None:
    """Holds a finding against the value that the student's own measurements support.

    Args:
        found: The finding.
        expected: The supported value: a number, a list of numbers, text, or a truth value.
        source: Where it comes from: "results/kernels.json".
        relative: Allowed relative error of a float, for rounding. Whole numbers, text and truth values must be the same.
        absolute: Allowed absolute error of a float, where it may be near 0; the larger allowance counts.
        help: What to do; by default, to read the value again.
        mistakes: Known wrong answers.

    Raises:
        CheckFailed: The finding is not what the measurements support.
    """

    def same(value: Any, target: Any) -> Any:
        if isinstance(target, (list, tuple)):
            return isinstance(value, list) and len(value) == len(target) and all(same(a, b) for a, b in zip(value, target, strict=True))
        if isinstance(target, float):
            return abs(value - target) <= max(absolute, relative * abs(target))
        return value == target

    if same(found.value, expected):
        return
    sides: tuple[str, ...] = (f"{source} gives: {_written(expected)}", f"{FINDINGS_FILE} says: {_written(found.value)}")
    advice = help or f"Work it out from {source} again; if you measured anew, the findings must follow."
    for mistake in mistakes:
        if same(found.value, mistake.value) and not same(mistake.value, expected):
            fail(f"{found.name}: {mistake.summary}", *sides, help=mistake.help or advice)
    for factor, summary, what in _FACTORS:
        scaled = _scaled(expected, factor)
        if factor == 100.0 and not _is_share(expected):
            continue
        if scaled is not None and same(found.value, scaled) and not same(scaled, expected):
            fail(f"{found.name} is {summary}", *sides, help=what)
    if isinstance(expected, float) or (isinstance(expected, (list, tuple)) and any(isinstance(one, float) for one in expected)):
        sides += (f"tolerance: {relative:.0%}",)
    fail(f"{found.name} does not follow from {source}", *sides, help=advice)


def each(*parts: Callable[[], None]) -> None:
    """Runs every part of a check; the points are shared evenly among the parts.

    Args:
        parts: Functions that end as a check does: normally, or with `CheckFailed` or `CheckEnded` for what has not been started.

    Raises:
        CheckFailed: A part failed, or some parts have not been started; with the share of the parts that passed.
        CheckEnded: No part has been started, or a part ended in another way.
    """
    failures: list[CheckFailed] = []
    waiting: list[Feedback] = []
    missing: list[BaseException] = []
    for part in parts:
        try:
            part()
        except CheckFailed as error:
            failures.append(error)
        except CheckEnded as error:
            if error.state is not State.NOT_STARTED:
                raise
            waiting.append(error.feedback)
            missing.append(error)
        except MissingResults as error:
            waiting.append(Feedback(f"not started yet: {error} It is written by `lab measure`."))
            missing.append(error)
    if not failures and not missing:
        return
    if len(missing) == len(parts):
        raise missing[0]
    first = failures[0].feedback if failures else waiting[0]
    others = [error.feedback.summary for error in failures[1:]] + [waiter.summary for waiter in waiting if waiter is not first]
    earned = (len(parts) - len(failures) - len(missing)) / len(parts) + sum(error.earned for error in failures) / len(parts)
    comparison = (*first.comparison, *(f"also: {summary}" for summary in others))
    raise CheckFailed(dataclasses.replace(first, comparison=comparison), earned=earned)


def _name(section: str, key: str) -> str:
    return f"{FINDINGS_FILE} [{section}] {key}"


def _unanswered(value: Any) -> bool:
    if isinstance(value, list):
        return any(_unanswered(item) for item in value if not isinstance(item, list))
    return isinstance(value, str) and value.strip() in ("", UNANSWERED)


def _take(value: Any, kind: type) -> Any:
    if kind is list:
        return [float(item) for item in value] if isinstance(value, list) and all(_is_number(item) for item in value) else None
    if kind is float:
        return float(value) if _is_number(value) else None
    if kind is int:
        return int(value) if _is_number(value) and value == int(value) else None
    return value if isinstance(value, kind) else None


def _is_number(value: Any) -> bool:
    # No infinity, no NaN, and no integer that a float cannot hold.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def _is_share(expected: Any) -> bool:
    values = expected if isinstance(expected, (list, tuple)) else [expected]
    return all(isinstance(value, float) and 0 <= value <= 1 for value in values)


def _scaled(expected: Any, factor: float) -> Any:
    if isinstance(expected, float):
        return expected * factor
    if isinstance(expected, (list, tuple)) and all(isinstance(item, float) for item in expected):
        return [item * factor for item in expected]
    return None


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_written(item) for item in value)}]"
    return repr(value) if isinstance(value, str) else show(value, kind=False)
