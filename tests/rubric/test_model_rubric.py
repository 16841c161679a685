"""Section 2 on submissions whose verdict is known."""

from __future__ import annotations

import pytest
from conftest import STUBS, chaffs, documented, lost, told, wheats

from grader.results import State


def test_reference_earns_all(graded, reference):
    """The reference passes every check of the section, which are worth 20 points together."""
    result = graded(reference, "test_model.py")
    assert {check.name: check.feedback for check in result.checks if check.state is not State.PASSED} == {}
    assert result.score == result.points == 20


@pytest.mark.parametrize("entry", wheats("model"))
def test_other_styles_earn_all(graded, entry):
    """Right answers in another style pass: functional and subclassed models, NumPy and Keras functions."""
    assert {name: told(check.feedback) for name, check in lost(graded(entry, "test_model.py")).items()} == {}


def _own(entry):
    section, _, check = entry.check.partition("/")
    return f"test_{section}_findings" if check == "findings" else f"test_{check}"


@pytest.mark.parametrize("entry", chaffs("model"))
def test_mistakes_are_named(graded, entry):
    """A wrong answer loses points and is told why. No check of this section runs another check's function."""
    checks = lost(graded(entry, _own(entry)))
    assert list(checks) == [entry.check]
    feedback = told(checks[entry.check].feedback)
    assert [word for word in entry.words if word.lower() not in feedback.lower()] == [], feedback
    assert documented(entry, checks[entry.check])


def test_stubs_are_not_started(graded):
    """Of the untouched stubs every check says that it has not been started."""
    result = graded(STUBS, "test_model.py")
    assert {check.state for check in result.checks} == {State.NOT_STARTED}
    assert all(check.feedback.summary.startswith("not started yet: ") for check in result.checks)


def test_grade_is_the_same_each_time(graded, reference):
    """The same submission gets the same verdict and the same words: seeds come from the run, not from the clock."""
    entry = next(parameter.values[0] for parameter in chaffs("model") if parameter.id == "01_top_k_over_the_batch")
    first, second = (graded(entry, "top_k").checks[0] for _ in range(2))
    assert (first.state, first.earned, first.feedback) == (second.state, second.earned, second.feedback)
