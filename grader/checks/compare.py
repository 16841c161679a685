"""Sound comparators: each says what was expected, what was received, and names the mistake where it can.

Order of the tests: kind, exact shape and dtype, finiteness, then the error in float64. (`np.allclose` takes an empty array for one of
shape (5, 1), and a NaN passes `if error > tolerance: fail`.)
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NoReturn

import numpy as np

from grader.channel.values import Named
from grader.outcomes import CheckFailed
from grader.results import Feedback

MOST_ITEMS: Final = 100_000
"""Longest array that is made a list of: what checks ask for has 2,000 items at most, and one message may hold 64 million."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A known wrong answer, and what to say when it is met.

    Attributes:
        value: What the mistake gives here.
        summary: The mistake by name, one line.
        help: What to look at.
    """

    value: Any
    summary: str
    help: str = ""


def fail(summary: str, *comparison: str, help: str = "", earned: float = 0.0) -> NoReturn:
    """Ends the check as failed.

    Args:
        summary: What is wrong, one line.
        comparison: Lines of expected against received.
        help: What to look at.
        earned: The part of the points that is earned all the same.

    Raises:
        CheckFailed: Always.
    """
    raise CheckFailed(Feedback(summary, tuple(comparison), help), earned=earned)


def require(condition: bool, summary: str, *comparison: str, help: str = "") -> None:
    """Fails unless the condition holds.

    Args:
        condition: What must hold.
        summary: What is wrong if it does not.
        comparison: Lines of expected against received.
        help: What to look at.

    Raises:
        CheckFailed: It does not hold.
    """
    if not condition:
        fail(summary, *comparison, help=help)


def equal(found: Any, expected: Any, what: str, *, help: str = "", mistakes: Sequence[Mistake] = ()) -> None:
    """Compares plain values: numbers that count, text, lists, mappings. A list and a tuple with the same items are equal.

    Args:
        found: What the submission gave.
        expected: What it should have given.
        what: Names the value: "label_map's label of n01443537".
        help: What to look at.
        mistakes: Known wrong answers, the most specific first.

    Raises:
        CheckFailed: They differ.
    """
    if _same(found, expected):
        return
    for mistake in mistakes:
        if _same(found, mistake.value) and not _same(mistake.value, expected):
            fail(mistake.summary, *_sides(found, expected), help=mistake.help or help)
    fail(f"{what} is wrong", *_sides(found, expected), help=help)


def number(found: Any, what: str, *, help: str = "") -> float:
    """Takes a finite real number.

    Args:
        found: What the submission gave.
        what: Names the value.
        help: What to look at.

    Returns:
        The number as a float.

    Raises:
        CheckFailed: It is not a number, or not a finite one.
    """
    if isinstance(found, np.ndarray) and found.ndim == 0 and found.dtype.kind in "iuf":
        found = found.item()
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        fail(f"{what} should be a number", "expected: a Python number", f"received: {show(found)}", help=help)
    if not np.isfinite(found):
        fail(f"{what} is not finite", "expected: a finite number", f"received: {found}", help=help or "Look for a division by zero.")
    return float(found)


def integer(found: Any, what: str, *, help: str = "") -> int:
    """Takes a whole number, as an integer.

    Args:
        found: What the submission gave.
        what: Names the value.
        help: What to look at.

    Returns:
        The integer.

    Raises:
        CheckFailed: It is something else.
    """
    if isinstance(found, np.ndarray) and found.ndim == 0 and found.dtype.kind in "iu":
        found = found.item()
    if isinstance(found, bool) or not isinstance(found, int):
        fail(f"{what} should be an integer", "expected: a Python int", f"received: {show(found)}", help=help)
    return int(found)


def close(
    found: Any,
    expected: float,
    what: str,
    *,
    relative: float = 1e-6,
    absolute: float = 1e-9,
    help: str = "",
    mistakes: Sequence[Mistake] = (),
) -> None:
    """Compares two numbers within a tolerance.

    Args:
        found: What the submission gave.
        expected: What it should have given.
        what: Names the value.
        relative: Allowed error relative to the expected value.
        absolute: Allowed absolute error; the larger allowance counts.
        help: What to look at.
        mistakes: Known wrong answers.

    Raises:
        CheckFailed: They differ by more.
    """
    value = number(found, what, help=help)

    def within(target: float) -> bool:
        return abs(value - target) <= max(absolute, relative * abs(target))

    if within(expected):
        return
    sides = (f"expected: {expected:.9g}", f"received: {value:.9g}", f"tolerance: {max(absolute, relative * abs(expected)):.3g}")
    for mistake in mistakes:
        if within(mistake.value) and abs(mistake.value - expected) > max(absolute, relative * abs(expected)):
            fail(mistake.summary, *sides, help=mistake.help or help)
    fail(f"{what} is wrong", *sides, help=help)


def array(
    found: Any,
    expected: np.ndarray,
    what: str,
    *,
    tolerance: float = 0.0,
    dtype: str | None = None,
    help: str = "",
    mistakes: Sequence[Mistake] = (),
) -> None:
    """Compares two arrays: shape, dtype, finiteness, then the largest absolute error in float64.

    Args:
        found: What the submission gave.
        expected: What it should have given.
        what: Names the array.
        tolerance: Allowed absolute error of an element; 0 for exact.
        dtype: The dtype that is asked for, or None where any of the same kind (integer, float, bool) will do.
        help: What to look at.
        mistakes: Known wrong answers: arrays of any shape.

    Raises:
        CheckFailed: They differ.
    """
    if not isinstance(found, np.ndarray):
        wanted = f"expected: an array of shape {expected.shape}, {dtype or expected.dtype}"
        if not isinstance(found, (list, tuple)) or dtype is not None:
            fail(f"{what} should be an array", wanted, f"received: {show(found)}", help=help)
        if not holds_numbers(found):
            fail(f"{what} should be an array", wanted, f"received: {show(found)}", help=help)
        try:
            found = np.asarray(found)
        except (ValueError, OverflowError):
            fail(f"{what} should be an array", wanted, f"received: {show(found)}", help=help)
    same_kind = found.dtype.name == dtype if dtype else _kind(found) == _kind(expected)
    matches = found.shape == expected.shape and _largest_error(found, expected) <= tolerance
    if matches and same_kind:
        return
    sides = [f"expected: shape {expected.shape}, {dtype or expected.dtype}", f"received: shape {found.shape}, {found.dtype}"]
    for mistake in mistakes:
        wrong = np.asarray(mistake.value)
        if found.shape == wrong.shape and _largest_error(found, wrong) <= tolerance and not _near(wrong, expected, tolerance):
            fail(mistake.summary, *sides, *_errors(found, expected, tolerance), help=mistake.help or help)
    if found.shape != expected.shape:
        fail(f"{what} has the wrong shape", *sides, help=help)
    if not same_kind:
        fail(f"{what} has the wrong dtype", *sides, help=help)
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        fail(f"{what} holds values that are not finite (NaN or infinity)", *sides, help=help or "Look for a division by zero or log of 0.")
    fail(f"{what} is wrong", *sides, *_errors(found, expected, tolerance), help=help)


def refused(call: Callable[[], Any], error: str, told: str, *, takes: str, other: str, help: str, earned: float = 0.75) -> None:
    """Holds that a call raises an error, as its docstring promises; by default most of the points are kept.

    Args:
        call: Calls the student's function with what it should refuse.
        error: Name of the error.
        told: The call in words: 'list_examples(root, "test")'.
        takes: What is wrong when it raises nothing.
        other: What is wrong when it raises another error; empty where any error will do.
        help: What to look at.
        earned: The part of the points that is earned all the same.

    Raises:
        CheckFailed: It does not.
    """
    wanted = f"expected of {told}: {error}"
    try:
        found = call()
    except CheckFailed as failure:
        if error in failure.raised or (failure.raised and not other):
            return
        fail(
            other or takes, wanted, f"received: {failure.raised[0] if failure.raised else 'what cannot be read'}", help=help, earned=earned
        )
    fail(takes, wanted, f"received: {show(found)}", help=help, earned=earned)


def record(found: Any, fields: Sequence[str], what: str, name: str) -> Mapping[str, Any]:
    """Takes a record: a named tuple of the submission's, or a mapping with the same keys.

    Args:
        found: What the submission gave.
        fields: Names of its fields.
        what: Names the value.
        name: The record's class.

    Returns:
        The values of these fields; others that the submission added are its own matter.

    Raises:
        CheckFailed: It is something else, or lacks a field.
    """
    expected = f"expected: {name}({', '.join(fields)})"
    if not isinstance(found, dict):
        fail(f"{what} should be {'an' if name[:1] in 'AEIOU' else 'a'} {name}", expected, f"received: {show(found)}")
    missing = [field for field in fields if field not in found]
    if missing:
        fail(f"{what} lacks {', '.join(missing)}", expected, f"received: {show(found)}")
    return {field: found[field] for field in fields}


def sequence(found: Any, what: str, *, length: int | None = None, help: str = "") -> list[Any]:
    """Takes a list, a tuple, or the rows of an array.

    Args:
        found: What the submission gave.
        what: Names the value.
        length: How many items there should be, or None.
        help: What to look at.

    Returns:
        The items.

    Raises:
        CheckFailed: It is something else, or of another length.
    """
    if isinstance(found, np.ndarray) and found.ndim and len(found) > MOST_ITEMS:
        fail(f"{what} has far too many items", f"received: {len(found)} items", help=help)
    if isinstance(found, np.ndarray) and found.ndim:
        found = found.tolist() if found.ndim == 1 else list(found)
    if isinstance(found, Named):
        found = tuple(found.values())
    if not isinstance(found, (list, tuple)):
        fail(f"{what} should be a list or a tuple", "expected: a list or a tuple", f"received: {show(found)}", help=help)
    if length is not None and len(found) != length:
        fail(f"{what} has the wrong length", f"expected: {length} items", f"received: {len(found)} items", help=help)
    return list(found)


def show(value: Any, limit: int = 160, *, kind: bool = True) -> str:
    """A value as a student would recognise it, on one line.

    Args:
        value: Anything that crossed the channel.
        limit: Longest text.
        kind: Whether to tell the type of a plain value too.

    Returns:
        Its type, and its shape or content.
    """
    if isinstance(value, np.ndarray):
        content = f" {np.array2string(value, threshold=6, precision=4)}".replace("\n", " ") if value.size <= 8 else ""
        return f"array of shape {value.shape}, {value.dtype}{content}"[:limit]
    if value is None:
        return "None (is there a return?)"
    text = _short(value, limit)
    name = "named tuple" if isinstance(value, Named) else type(value).__name__
    if isinstance(value, (list, tuple, dict)) and len(text) > limit:
        return f"{name} of {len(value)} items: {text[: limit - 40]}..."
    return f"{text[:limit]} ({name})" if kind else text[:limit]


class _Brief(reprlib.Repr):
    """Goes no further into a value than what is shown of it: a list of a million arrays takes minutes to write."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.maxlevel = 6
        self.maxlist = self.maxtuple = self.maxdict = max(limit // 2, 8)
        self.maxstring = self.maxother = self.maxlong = 2 * limit

    def repr_ndarray(self, value: np.ndarray, level: int) -> str:
        return repr(value) if value.size <= 8 else f"array of shape {value.shape}, {value.dtype}"

    def repr_bytes(self, value: bytes, level: int) -> str:
        return repr(value[: self.maxstring])

    def repr_dict(self, value: dict[Any, Any], level: int) -> str:
        if level <= 0:
            return "{...}"
        shown = [f"{self.repr1(key, level - 1)}: {self.repr1(item, level - 1)}" for key, item in islice(value.items(), self.maxdict)]
        return f"{{{', '.join([*shown, '...'] if len(value) > self.maxdict else shown)}}}"

    def repr_Named(self, value: Named, level: int) -> str:
        if level <= 0:
            return "(...)"
        shown = [f"{str(key)[: self.maxstring]}={self.repr1(item, level - 1)}" for key, item in islice(value.items(), self.maxdict)]
        return f"({', '.join([*shown, '...'] if len(value) > self.maxdict else shown)})"


def _short(value: Any, limit: int) -> str:
    try:
        return _Brief(limit).repr(value[:limit] if isinstance(value, (bytes, str)) else value)
    except (ValueError, RecursionError):  # an integer of thousands of digits
        return f"{type(value).__name__} that is too large to show"


def holds_numbers(found: Any) -> bool:
    """Whether a value is safe to make an array of: NumPy would make terabytes of a list with one long text in it.

    Args:
        found: What the submission gave.

    Returns:
        True for an array, a number, and a list of numbers or of such lists with no more items than any check asks for.
    """
    if isinstance(found, (bool, int, float, np.ndarray)):
        return True
    if not isinstance(found, (list, tuple)):
        return False
    waiting, left = [found], MOST_ITEMS
    while waiting:
        for item in waiting.pop():
            left -= 1
            if isinstance(item, (list, tuple)):
                waiting.append(item)
            elif isinstance(item, np.ndarray):
                left -= item.size
            elif not isinstance(item, (bool, int, float)):
                return False
            if left < 0:
                return False
    return True


def _same(found: Any, expected: Any) -> bool:
    if isinstance(found, np.ndarray):
        if math.prod(max(size, 1) for size in found.shape) > MOST_ITEMS:
            return False
        found = found.tolist()
    if isinstance(expected, np.ndarray):
        expected = expected.tolist()
    if isinstance(expected, (list, tuple)):
        found = tuple(found.values()) if isinstance(found, Named) else found
        return (
            isinstance(found, (list, tuple))
            and len(found) == len(expected)
            and all(_same(a, b) for a, b in zip(found, expected, strict=True))
        )
    if isinstance(expected, Mapping):
        return isinstance(found, dict) and found.keys() == expected.keys() and all(_same(found[key], expected[key]) for key in expected)
    if isinstance(expected, bool) or isinstance(found, bool):
        return found is expected
    if isinstance(expected, int):
        return isinstance(found, int) and found == expected
    return type(found) is type(expected) and bool(found == expected)


def _sides(found: Any, expected: Any) -> list[str]:
    sides = [f"expected: {show(expected)}", f"received: {show(found)}"]
    if isinstance(expected, Mapping) and isinstance(found, dict):
        different = [key for key in expected if key not in found or not _same(found[key], expected[key])]
        if different:
            key = different[0]
            received = show(found[key]) if key in found else "nothing: this key is missing"
            sides.append(f"first difference: at {key!r}, expected {show(expected[key])}, received {received}")
        more = [key for key in found if key not in expected]
        if more:
            sides.append(f"keys that should not be there: {show(more)}")
    elif isinstance(expected, (list, tuple)) and isinstance(found, (list, tuple)):
        index = next((i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if not _same(a, b)), None)
        if index is not None:
            sides.append(f"first difference: at index {index}, expected {show(expected[index])}, received {show(found[index])}")
        else:
            sides.append(f"lengths: expected {len(expected)}, received {len(found)}")
    return sides


def _kind(value: np.ndarray) -> str:
    return {"i": "integer", "u": "integer", "f": "float", "b": "bool"}.get(value.dtype.kind, value.dtype.kind)


def _largest_error(found: np.ndarray, expected: np.ndarray) -> float:
    if found.shape != expected.shape or found.dtype.kind not in "biuf":
        return float("inf")
    if not found.size:
        return 0.0
    with np.errstate(all="ignore"):
        error = np.abs(found.astype(np.float64) - expected.astype(np.float64))
    return float(error.max()) if np.isfinite(error).all() else float("inf")


def _near(one: np.ndarray, other: np.ndarray, tolerance: float) -> bool:
    return one.shape == other.shape and _largest_error(one, other) <= tolerance


def _errors(found: np.ndarray, expected: np.ndarray, tolerance: float) -> list[str]:
    if found.shape != expected.shape or not found.size or found.dtype.kind not in "biuf":
        return []
    with np.errstate(all="ignore"):
        error = np.abs(found.astype(np.float64) - expected.astype(np.float64))
        wrong = ~(error <= tolerance)
        relative = error / np.maximum(np.abs(expected.astype(np.float64)), 1e-12)
    if not wrong.any():
        return []
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    return [
        f"largest absolute error: {np.nanmax(error):.4g}, largest relative error: {np.nanmax(relative):.4g}, tolerance: {tolerance:g}",
        f"first wrong element: {list(index)}, expected {expected[index]:.6g}, received {found[index]:.6g}",
        f"wrong elements: {int(wrong.sum())} of {wrong.size}",
    ]
