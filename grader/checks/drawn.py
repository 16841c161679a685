"""The examples of checks, kept once they are drawn: the same seed draws the same ones for each submission of a class.

Drawing costs more than calling a student's function. While TensorFlow is imported there is time to draw; and in a batch a check's
examples are drawn once. An example that fails sends the check through Hypothesis after all, which makes it smaller.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

from hypothesis.errors import FlakyFailure

Examples = list[dict[str, Any]]

MOST: Final = 200
"""Checks whose examples are kept. A rubric has some dozens, under one secret or the public seed."""


class Drawn:
    """Examples by check and seed."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bytes], Examples] = {}

    def draw(self, test: Any, key: tuple[str, bytes], fixtures: Mapping[str, Any]) -> None:
        """Draws a check's examples without trying them.

        Args:
            test: A Hypothesis test with its seed.
            key: The check's name and its seed.
            fixtures: Its parameters that are not drawn; any values.
        """
        if key not in self._kept:
            self._record(test, key, fixtures, lambda **_: None)

    def run(self, test: Any, key: tuple[str, bytes], fixtures: Mapping[str, Any], again: Callable[[], None]) -> None:
        """Runs a check on its examples.

        Args:
            test: A Hypothesis test with its seed.
            key: The check's name and its seed.
            fixtures: Its parameters that are not drawn.
            again: Makes everything as it was, before the check is run once more.

        Raises:
            Exception: What the check raised for an example that was made as small as it goes.
            FlakyFailure: It failed for an example, and for none when it was run once more.
        """
        known = self._kept.get(key)
        if known is None:
            self._record(test, key, fixtures, test.hypothesis.inner_test)
            return
        try:
            for example in known:
                test.hypothesis.inner_test(**fixtures, **copy.deepcopy(example))
        except Exception as error:
            again()
            test(**fixtures)
            raise FlakyFailure("an example failed, and did not when it was tried again", [error]) from None

    def _record(self, test: Any, key: tuple[str, bytes], fixtures: Mapping[str, Any], function: Callable[..., Any]) -> None:
        inner, examples = test.hypothesis.inner_test, []

        @functools.wraps(inner)
        def recorded(**given: Any) -> None:
            examples.append(copy.deepcopy({name: value for name, value in given.items() if name not in fixtures}))
            function(**given)

        test.hypothesis.inner_test = recorded
        try:
            test(**fixtures)
        finally:
            test.hypothesis.inner_test = inner
        # Only all of them are kept: a failure leaves above.
        if len(self._kept) >= MOST:
            self._kept.clear()
        self._kept[key] = examples
