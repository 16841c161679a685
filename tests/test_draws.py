"""What a check draws follows from its seed, whatever else is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.errors import FlakyFailure

from grader.checks.check import examples
from grader.checks.drawn import Drawn

DRAW = """
import sys
sys.path.insert(0, sys.argv[1])
if len(sys.argv) > 2:
    __import__(sys.argv[2])
import hypothesis
from hypothesis import strategies as st
from grader.checks.check import examples

drawn = []

@hypothesis.seed(7)
@examples(count=200, number=st.integers(0, 10**9), text=st.text(max_size=12), share=st.floats(0, 1))
def check(number, text, share):
    drawn.append((number, text, share))

check()
print(drawn)
"""


def test_draws_do_not_depend_on_loaded_modules(tmp_path: Path) -> None:
    """A module full of numbers and words beside the grader changes no example (Hypothesis would draw from them)."""
    (tmp_path / "beside.py").write_text(f"NUMBERS = {[9973 * n for n in range(300)]}\nWORDS = {[f'w{n}' for n in range(300)]}\n")
    alone, beside = (
        subprocess.run([sys.executable, "-c", DRAW, str(tmp_path), *extra], capture_output=True, text=True, check=True).stdout
        for extra in ((), ("beside",))
    )
    assert len(alone) > 1000
    assert alone == beside


class Wrong(Exception):
    """An answer that is wrong."""


def _check(tried: list[tuple[Any, list[int]]], *, wrong_from: int = 10**9) -> Any:
    @hypothesis.seed(3)
    @examples(count=30, always=[{"numbers": [1, 2]}], numbers=st.lists(st.integers(0, 1000), max_size=5))
    def check(submission: Any, numbers: list[int]) -> None:
        tried.append((submission, list(numbers)))
        if any(number >= wrong_from for number in numbers):
            raise Wrong
        numbers.clear()  # what a check does to an example stays with that run

    return check


def test_kept_examples_are_those_that_would_be_drawn() -> None:
    """Drawn ahead, drawn by a run, or kept from an earlier one: the same examples in the same order."""
    plain: list[Any] = []
    _check(plain)(submission="x")
    tried: list[Any] = []
    drawn, check = Drawn(), _check(tried)
    drawn.draw(check, ("a", b"1"), {"submission": None})
    assert not tried
    drawn.run(check, ("a", b"1"), {"submission": "x"}, pytest.fail)
    assert tried == plain
    assert len(plain) > 20
    for key in (b"2", b"2"):  # the first run draws, the second does not
        tried.clear()
        drawn.run(check, ("a", key), {"submission": "x"}, pytest.fail)
        assert tried == plain


def test_kept_example_that_fails_is_made_smaller() -> None:
    """A failure is looked into as if nothing had been kept: from the start, and down to the smallest example."""
    plain: list[Any] = []
    with pytest.raises(Wrong):
        _check(plain, wrong_from=500)(submission="x")
    assert plain[-1] == ("x", [500])
    drawn, tried, again = Drawn(), [], []
    drawn.draw(_check([]), ("a", b"1"), {"submission": None})
    with pytest.raises(Wrong):
        drawn.run(_check(tried, wrong_from=500), ("a", b"1"), {"submission": "x"}, lambda: again.append(len(tried)))
    assert len(again) == 1
    assert tried[again[0] :] == plain


def test_failure_that_does_not_come_again_is_a_failure() -> None:
    """Who answers wrong once, and right when everything begins anew, has answered wrong."""
    drawn, again = Drawn(), []
    drawn.draw(_check([]), ("a", b"1"), {"submission": None})
    tried: list[Any] = []

    @hypothesis.seed(3)
    @examples(count=30, numbers=st.lists(st.integers(0, 1000), max_size=5))
    def wrong_at_first(submission: Any, numbers: list[int]) -> None:
        tried.append(numbers)
        if not again:
            raise Wrong

    with pytest.raises(FlakyFailure) as caught:
        drawn.run(wrong_at_first, ("a", b"1"), {"submission": "x"}, lambda: again.append(True))
    assert isinstance(caught.value.exceptions[0], Wrong)
    assert len(tried) > 20


def test_examples_of_a_failed_run_are_not_kept() -> None:
    """What was drawn up to a failure is not taken for all examples."""
    drawn, tried = Drawn(), []
    with pytest.raises(Wrong):
        drawn.run(_check([], wrong_from=500), ("a", b"1"), {"submission": "x"}, pytest.fail)
    drawn.run(_check(tried), ("a", b"1"), {"submission": "x"}, pytest.fail)
    assert len(tried) > 20
