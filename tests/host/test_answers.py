"""What answers in the place of the grader's own tools, or hinders a check, is the submission's own failure and never the grader's."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grader.bank import overlay, write_reference
from grader.channel.peer import Refusal
from grader.grade import grade
from grader.host.answers import is_answer_of
from grader.host.launch import Launcher
from grader.host.submission import _answer
from grader.results import CheckResult, State

SOLUTIONS = Path(__file__).parents[2] / "solutions"
JUNK: tuple[Any, ...] = (7, "x", [None], (1,), {7: 7}, {"conv1": 7}, {"conv1": [7]}, {"conv1": [[None]]}, [[]], 1.5)


@pytest.mark.parametrize(
    "tool", ["batches", "labels", "weight_shapes", "layer_weights", "trainable", "unreached", "path", "training_state", "build"]
)
def test_junk_is_no_answer(tool: str) -> None:
    """A tool's answer is of its own kind, whole."""
    assert not [junk for junk in JUNK if is_answer_of(tool, junk)]


def test_right_answers_are_answers() -> None:
    """What tools really give passes, and so does what is not known here."""
    assert is_answer_of("batches", [(np.zeros(3), np.zeros(2)), (np.zeros(1), np.zeros(2))])
    assert is_answer_of("weight_shapes", {"conv1": [[3, 3, 3, 8], [8]], "pool1": []})
    epochs = {"epochs_run": 3.0, "epoch_of_weights": 2, "epoch_of_averages": 0.0}
    state = {**epochs, "own_optimizer": True, "learning_rate": 1.0, "own_steps": 6}
    assert is_answer_of("training_state", state)
    assert is_answer_of("input_shape", [64, None, 3])
    assert is_answer_of("build", None)
    assert is_answer_of("software", {"tensorflow": "2.21.0"})


def judged(folder: Path, module: str, source: str, check: str, launcher: Launcher) -> CheckResult:
    """One check on the reference with code added to a module."""
    file = write_reference(SOLUTIONS, folder / "assignment") / f"{module}.py"
    file.write_text(f"{file.read_text(encoding='utf-8')}\n\n{source}", encoding="utf-8")
    (result,) = grade(file.parent, keyword=check, launcher=launcher).checks
    return result


@pytest.mark.parametrize(
    ("module", "tool", "junk", "check"),
    [
        ("model", "weight_shapes", "{'conv1': 7}", "architecture"),
        ("model", "trainable", "None", "architecture"),
        ("data", "batches", "[7]", "pipeline_in_order"),
        ("timing", "default_clock", "7", "online_figures"),
        ("training", "training_state", "{}", "train_stops"),
        ("training", "sweep_kit", "7", "training and test_sweep"),
    ],
)
def test_another_answer_than_the_tool_s_fails(tmp_path: Path, shared: Launcher, module: str, tool: str, junk: str, check: str) -> None:
    """A submission that answers for a tool has failed; it cannot make itself impossible to grade."""
    source = f"from grader.worker.serve import TOOLS as _tools\n_tools[{tool!r}] = lambda *a, **k: {junk}\n"
    result = judged(tmp_path, module, source, check, shared)
    assert result.state is State.FAILED
    assert result.feedback is not None
    assert "something else than the grader's own tool answered" in result.feedback.summary


HINDERS = """
_load = load_label_map


def load_label_map(root):
    for name in (f"{root.name}-other", "nothing"):
        for folder in (root.parent, root):
            try:
                (folder / name / "wnids.txt").mkdir(parents=True, exist_ok=True)
            except OSError:
                pass
    return _load(root)
"""


def test_nothing_can_be_put_in_the_way_of_what_a_check_writes(tmp_path: Path, shared: Launcher) -> None:
    """Where checks write their data sets a submission cannot, so that what is there is theirs."""
    assert judged(tmp_path, "data", HINDERS, "label_map", shared).state is State.PASSED


CALLS = """
def sweep(make_model, make_data, train, evaluate, *, epoch_limits, batch_sizes):
    tell = dict(zip(make_model.__code__.co_freevars, make_model.__closure__))["tell"].cell_contents
    tell(7)
"""


def test_a_function_of_the_grader_s_called_with_junk_fails(tmp_path: Path, shared: Launcher) -> None:
    """What a submission calls our functions with is its own to choose, and its own failure."""
    file = write_reference(SOLUTIONS, tmp_path / "assignment") / "training.py"
    file.write_text(overlay(file.read_text(encoding="utf-8"), CALLS), encoding="utf-8")
    (result,) = grade(file.parent, keyword="training and test_sweep", launcher=shared).checks
    assert result.state is State.FAILED


def test_what_a_callback_belongs_to_is_not_kept() -> None:
    """A grader process goes on to the next submission: nothing of this one's calls stays in its memory."""

    class Bench:
        def clock(self) -> float:
            return 1.0

    bench = Bench()
    gone = weakref.ref(bench)
    assert _answer("callback", {"function": bench.clock, "args": [], "kwargs": {}}) == 1.0
    with pytest.raises(Refusal):
        _answer("callback", {"function": bench.clock, "args": [2], "kwargs": {}})
    del bench
    gc.collect()
    assert gone() is None
