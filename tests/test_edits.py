"""Which checks an edit concerns."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.bank import write_reference
from grader.edits import Sources

SOLUTIONS = Path(__file__).parents[1] / "solutions"
FUNCTIONS = ("timing.time_online", "timing.online_sweep", "timing.batch_sweep", "data.make_dataset", "model.build_model")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The reference, to be edited."""
    return write_reference(SOLUTIONS, tmp_path / "assignment")


def concerned(folder: Path, file: str, old: str, new: str) -> set[str]:
    """The functions whose checks run again after an edit."""
    before = {name: Sources(folder).fingerprint([name]) for name in FUNCTIONS}
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return {name for name in FUNCTIONS if Sources(folder).fingerprint([name]) != before[name]}


def test_a_comment_concerns_nothing(folder):
    """Neither do blank lines."""
    assert not concerned(folder, "timing.py", "    start = clock()", "    # Now.\n\n    start = clock()")


def test_a_function_concerns_those_that_call_it(folder):
    """online_sweep calls time_online; batch_sweep does not."""
    assert concerned(folder, "timing.py", "batch_size=1,\n        total_s=total_s", "batch_size=2,\n        total_s=total_s") == {
        "timing.time_online",
        "timing.online_sweep",
    }


def test_functions_of_other_modules_are_followed(folder):
    """A pipeline decodes with decode_image."""
    assert concerned(folder, "data.py", "/ 255.0", "/ 256.0") == {"data.make_dataset"}


def test_what_stands_outside_of_functions_concerns_all(folder):
    """An import or a constant may change anything."""
    assert concerned(folder, "timing.py", "import time\n", "import time\nLIMIT = 3\n") == set(FUNCTIONS)


def test_a_module_that_cannot_be_parsed_concerns_all(folder):
    """And so does mending it."""
    assert concerned(folder, "model.py", "return (size - kernel)", "return ((size - kernel)") == set(FUNCTIONS)
    assert concerned(folder, "model.py", "return ((size - kernel)", "return (size - kernel)") == set(FUNCTIONS)


def test_new_measurements_concern_all(folder):
    """Trained weights and timings are judged too."""
    before = Sources(folder).fingerprint(["model.build_model"])
    (folder / "results").mkdir()
    (folder / "results" / "machine.json").write_text("{}")
    assert Sources(folder).fingerprint(["model.build_model"]) != before
