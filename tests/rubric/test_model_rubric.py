"""Section 2 on submissions whose verdict is known."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import STUBS, chaffs, documented, lost, told, wheats

from grader.checks import oracle
from grader.results import State
from grader.rubric import test_model
from grader.rubric.networks import ENLARGED, told_apart


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


@pytest.mark.parametrize("seed", range(5))
def test_enlarged_weights_keep_the_output(seed):
    """Activations are 16 times as large, and the output is the same to the last digit."""
    rng = np.random.default_rng(seed)
    network, input_shape = oracle.draw_network(rng)
    weights = oracle.draw_weights(network, input_shape, rng)
    images = rng.random((2, *input_shape), dtype=np.float32)
    before, after = (oracle.run(network, each, images) for each in (weights, oracle.enlarged(network, weights, ENLARGED)))
    *hidden, last = [layer["name"] for layer in network]
    assert all(np.array_equal(after[name], ENLARGED * before[name]) for name in hidden)
    assert np.array_equal(before[last], after[last])


@pytest.mark.parametrize("seed", range(5))
def test_misplaced_names_lie_elsewhere_in_the_lab(seed):
    """The layer asked for as conv1 is not the first of the model, and one before `hidden` has a name that begins so."""
    network, _ = oracle.draw_network(np.random.default_rng(seed), dropout=True)
    names = [layer["name"] for layer in oracle.misplaced_names(network)]
    assert len(set(names)) == len(names)
    assert names.index("conv1") > [layer["name"] for layer in oracle.lab_network()].index("conv1")
    assert names[names.index("hidden") - 1].startswith("hidden")


def test_a_known_case_tells_every_top_k_mistake_apart():
    """In the case that every grading tries, no two known mistakes give the same number, and none gives the right one."""
    _, _, expected, mistakes = test_model._top_k_case(12, 12, 3, 7196)
    values = {}
    for mistake in mistakes:
        values.setdefault(mistake.summary, set()).add(round(mistake.value, 9))
    together = [value for own in values.values() for value in own]
    assert len(set(together)) == len(together)
    assert round(expected, 9) not in together


def test_answers_are_told_apart_by_more_than_rounding():
    """Rounding, another shape and what is no array are no sign of chance."""
    one = np.array([0.25, 0.75], np.float32)
    assert told_apart(one, one + np.float32(0.01))
    assert not told_apart(one, one + np.float32(1e-6))
    assert not told_apart(one, one[:1])
    assert not told_apart(one, [[1], [2, 3]])
