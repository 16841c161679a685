"""Section 1 on submissions whose verdict is known."""

from __future__ import annotations

import shutil

import pytest
from conftest import SOLUTIONS, STUBS, chaffs, documented, lost, told, wheats

from grader.bank import overlay
from grader.results import State

RELATED = {
    "label_map": "label_map or examples",
    "train_examples": "examples",
    "val_examples": "examples",
    "decode_colour": "decode or pipeline",
    "decode_greyscale": "decode or pipeline",
    "pipeline_in_order": "decode or pipeline",
    "pipeline_shuffled": "decode or pipeline",
}
"""Checks that run a function which the check's own function builds on, or that builds on it; elsewhere a check stands alone."""


def test_reference_earns_all(graded, reference):
    """The reference passes every check of the section, which are worth 20 points together."""
    result = graded(reference, "test_data.py")
    assert {check.name: check.feedback for check in result.checks if check.state is not State.PASSED} == {}
    assert result.score == result.points == 20


@pytest.mark.parametrize("entry", wheats("data"))
def test_other_styles_earn_all(graded, entry):
    """Right answers in another style pass: Pillow and pandas, TensorFlow operations throughout."""
    assert {name: told(check.feedback) for name, check in lost(graded(entry, "test_data.py")).items()} == {}


def _own(entry):
    section, _, check = entry.check.partition("/")
    return f"test_{section}_findings" if check == "findings" else f"test_{check}"


@pytest.mark.parametrize("entry", chaffs("data"))
def test_mistakes_are_named(graded, entry):
    """A wrong answer loses points in its own check and nowhere else, and is told why."""
    checks = lost(graded(entry, RELATED.get(entry.check.removeprefix("data/"), _own(entry))))
    assert list(checks) == [entry.check]
    feedback = told(checks[entry.check].feedback)
    assert [word for word in entry.words if word.lower() not in feedback.lower()] == [], feedback
    assert documented(entry, checks[entry.check])


def test_consequences_are_not_blamed_on_the_lister(graded, tmp_path):
    """Ids that keep their line ends are named in the label map; where no image is found for it, that is said, with where to look."""
    folder = tmp_path / "line_ends"
    shutil.copytree(SOLUTIONS, folder, ignore=shutil.ignore_patterns("wheats", "chaffs", "results"))
    changes = "def load_label_map(root):\n    return {line: n for n, line in enumerate(open(Path(root) / 'wnids.txt'))}\n"
    source = (folder / "data.py").read_text(encoding="utf-8")
    (folder / "data.py").write_text(overlay(source, changes), encoding="utf-8")
    checks = lost(graded(folder, "label_map or train_examples"))
    assert "keep the line end" in told(checks["data/label_map"].feedback)
    assert "found no train image at all" in told(checks["data/train_examples"].feedback)
    assert "Are the ids from load_label_map right?" in told(checks["data/train_examples"].feedback)


def test_stubs_are_not_started(graded):
    """Of the untouched stubs every check says that it has not been started."""
    result = graded(STUBS, "test_data.py")
    assert {check.state for check in result.checks} == {State.NOT_STARTED}
    assert all(check.feedback.summary.startswith("not started yet: ") for check in result.checks)


def test_grade_is_the_same_each_time(graded, reference):
    """The same submission gets the same verdict and the same words: seeds come from the run, not from the clock."""
    entry = next(parameter.values[0] for parameter in chaffs("data") if parameter.id == "07_slice_of_a_class_ordered_list")
    first, second = (graded(entry, "balanced_subset").checks[0] for _ in range(2))
    assert (first.state, first.earned, first.feedback) == (second.state, second.earned, second.feedback)
