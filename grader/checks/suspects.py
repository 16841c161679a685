"""Names a mistake by all answers of a check, not by the last one: the smallest failing example often fits several mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from grader.checks.compare import Mistake, array, close, equal
from grader.outcomes import CheckFailed


class Suspects:
    """Known mistakes that fit every answer that a submission has given so far in one check.

    Hypothesis runs a check on many examples, and again on smaller ones; the last of them, which is shown, has then the mistakes left
    that explain all the others too.
    """

    def __init__(self) -> None:
        self._cleared: set[str] = set()

    def clear(self) -> None:
        """Begins anew."""
        self._cleared.clear()

    def left(self, found: Any, mistakes: Sequence[Mistake], *, of: str = "", tolerance: float = 1e-6) -> list[Mistake]:
        """Clears the mistakes that do not fit an answer.

        Args:
            found: What the submission gave.
            mistakes: The known mistakes, at each call the same in number and order.
            of: Names the list, where a check has more than one.
            tolerance: Allowed error of a float, absolute in arrays and relative otherwise.

        Returns:
            The mistakes that fit this answer and all before it.
        """
        kept = []
        for index, mistake in enumerate(mistakes):
            key = f"{of}/{index}"
            if not _fits(found, mistake.value, tolerance):
                self._cleared.add(key)
            if key not in self._cleared:
                kept.append(mistake)
        return kept


def _fits(found: Any, value: Any, tolerance: float) -> bool:
    try:
        if isinstance(value, np.ndarray):
            array(found, value, "", tolerance=tolerance)
        elif isinstance(value, float):
            close(found, value, "", relative=tolerance)
        else:
            equal(found, value, "")
    except CheckFailed:
        return False
    return True
