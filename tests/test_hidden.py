"""What an official grade shows to a student: never a value of a hidden example, nor text that a submission made of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.bank import overlay, write_reference
from grader.checks.vocabulary import in_own_words
from grader.grade import grade
from grader.host.launch import Launcher
from grader.report.html import render_html
from grader.results import CheckResult, Feedback, GradeResult, State

SOLUTIONS = Path(__file__).parents[1] / "solutions"

WRONG = '''
def wilson_interval(correct, total, z=1.96):
    """Tell what was asked."""
    print("printed", correct, total)
    return (correct + 5.0, total + 7.0)
'''

RAISES = '''
def early_stopping(val_losses, min_delta, patience):
    """Tell what was asked."""
    raise ValueError(f"told: {val_losses}")
'''


@pytest.fixture(scope="module")
def submission(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two functions that try to carry hidden examples out, and wrong findings."""
    folder = write_reference(SOLUTIONS, tmp_path_factory.mktemp("hidden") / "assignment")
    for module, source in (("data", WRONG), ("training", RAISES)):
        file = folder / f"{module}.py"
        file.write_text(overlay(file.read_text(encoding="utf-8"), source), encoding="utf-8")
    return folder


def graded(submission: Path, secret: bytes | None, launcher: Launcher) -> dict[str, CheckResult]:
    """The two checks, by name."""
    result = grade(submission, keyword="wilson or early_stopping", secret=secret, launcher=launcher)
    return {check.name: check for check in result.checks}


def test_official_feedback_of_drawn_examples_is_hidden(submission: Path, shared: Launcher) -> None:
    """The instructor sees expected and received values; the student sees what is wrong, where, and how to see public examples."""
    public, official = graded(submission, None, shared), graded(submission, b"course", shared)
    assert set(public) == set(official)
    assert len(official) == 2
    for name, check in official.items():
        assert check.hidden, name
        assert not public[name].hidden
        assert public[name].for_student() == public[name]
        shown = check.for_student().feedback
        assert check.feedback is not None
        assert shown is not None
        assert check.feedback.example
        assert (shown.example, shown.printed) == ("", "")
        assert check.command in shown.comparison[0]
        assert shown.where == check.feedback.where.partition(":")[0]
        assert "told:" not in shown.summary
    raised = official["training/early_stopping"]
    assert raised.feedback is not None
    assert "told: [" in raised.feedback.summary
    assert raised.for_student().feedback.summary == "training.early_stopping raised ValueError for a hidden example"  # type: ignore[union-attr]


REFUSES = '''
def {name}(*arguments):
    """Answer as the worker itself does when something is wrong, with what was asked in it."""
    from grader.channel.peer import Refusal
    told = f"told {{arguments}}"
    raise Refusal(kind="{kind}", type=told, message=told, where=f"assignment/data.py:7 {{told}}")
'''

OWN_CLASS = '''
def {name}(*arguments):
    """Put what was asked into the name of an error."""
    raise type("told" + str(arguments[0]).replace(".", "_"), (Exception,), {{}})()
'''


@pytest.mark.parametrize("kind", ["missing", "signature", "import", "exit", "memory", "not_started", "refused", "raised", "other", "class"])
def test_no_answer_of_the_worker_carries_a_hidden_example(tmp_path: Path, shared: Launcher, kind: str) -> None:
    """Whatever kind of answer a function forges, the student is shown none of its words."""
    folder = write_reference(SOLUTIONS, tmp_path / "assignment")
    file = folder / "data.py"
    source = (OWN_CLASS if kind == "class" else REFUSES).format(name="wilson_interval", kind=kind)
    file.write_text(overlay(file.read_text(encoding="utf-8"), source), encoding="utf-8")
    (check,) = grade(folder, keyword="wilson", secret=b"course", launcher=shared).checks
    assert check.earned == 0
    assert check.feedback is not None
    assert "told" in repr(check.feedback)  # it did get as far as the instructor
    assert "told" not in repr(check.for_student())
    assert check.for_student().feedback.summary  # type: ignore[union-attr]


CARRIES = """
def list_examples(root, split):
    told = f"{root}/told " + " ".join(sorted(path.name for path in Path(root, "train").iterdir()))
    return [Example(told, 0), Example(told, 0)]
"""


def test_no_summary_of_ours_repeats_what_a_function_gave(tmp_path: Path, shared: Launcher) -> None:
    """A path that a function makes of hidden names is shown to the instructor, and not to the student."""
    folder = write_reference(SOLUTIONS, tmp_path / "assignment")
    file = folder / "data.py"
    file.write_text(overlay(file.read_text(encoding="utf-8"), CARRIES), encoding="utf-8")
    (check,) = grade(folder, keyword="train_examples", secret=b"course", launcher=shared).checks
    assert check.earned == 0
    assert "told" in repr(check.feedback)
    assert "told" not in repr(check.for_student())


SHORT = """
def list_examples(root, split):
    told = "".join(chr(0x4E00 + int(path.name[1:]) % 10000) for path in sorted(Path(root, "train").iterdir()))
    return [Example(told, 0), Example(told, 0)]
"""

AMONG_MANY = """
def list_examples(root, split):
    told = " ".join(sorted(path.name for path in Path(root, "train").iterdir()))
    return [Example(told, 0), Example(told, 0), *(Example(f"another long name {number}", 0) for number in range(6000))]
"""

AS_A_LAYER = """
def build_model(classes=200):
    from grader.worker.serve import TOOLS
    if classes == 17:
        shapes = TOOLS["weight_shapes"]
        told = "told " + " ".join(f"{value:.3f}" for value in _seen[0].ravel()[:40])
        TOOLS["weight_shapes"] = lambda model: {told: [[3]], **shapes(model)}
    else:
        outputs = TOOLS["outputs"]
        TOOLS["outputs"] = lambda model, images: (_seen.append(np.array(images)), outputs(model, images))[1]
    return _build_model(classes)


_seen = []


def _build_model(classes):
"""


@pytest.mark.parametrize("source", [SHORT, AMONG_MANY], ids=["in ten letters", "among many words"])
def test_what_a_check_says_is_its_own(tmp_path: Path, shared: Launcher, source: str) -> None:
    """Names that carry hidden ids in few letters, or lie hidden among others, are not in what a student reads."""
    folder = write_reference(SOLUTIONS, tmp_path / "assignment")
    file = folder / "data.py"
    file.write_text(overlay(file.read_text(encoding="utf-8"), source), encoding="utf-8")
    (check,) = grade(folder, keyword="train_examples", secret=b"course", launcher=shared).checks
    assert check.earned == 0
    told = check.for_student().feedback
    assert told is not None
    assert told.summary.isascii() or told.summary.endswith("…")
    assert in_own_words(told.summary.removesuffix("…")) == told.summary.removesuffix("…")


def test_a_part_of_the_points_carries_nothing_out(tmp_path: Path, shared: Launcher) -> None:
    """A check that gives a part of its points has feedback as well: it is cleaned as that of a failed one is."""
    folder = write_reference(SOLUTIONS, tmp_path / "assignment")
    file = folder / "model.py"
    before, _, after = file.read_text(encoding="utf-8").partition("def build_model(")
    body = after.partition("\n")[2]
    file.write_text(f"{before}{AS_A_LAYER.lstrip()}{body}", encoding="utf-8")
    (check,) = grade(folder, keyword="architecture", secret=b"course", launcher=shared).checks
    assert check.state in (State.PARTIAL, State.FAILED)
    assert check.feedback is not None
    assert "told" in check.feedback.summary
    assert "told" not in repr(check.for_student())


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("The labels are n01443537", "The labels are n …"),
        ("The model has no layer named conv1", "The model has no layer named conv1"),
        ("The labels are \u6f22\u5b57", "The labels are …"),
        ("The labels are 1 2 3 4 5 6 7 8 9", "The labels are 1 2 3 4 5 6 7 8 …"),
        ("The labels are -.-.--.-", "The labels are -. …"),
        ("qwzx", "what the function gave is not right"),
    ],
)
def test_words_that_a_check_would_not_say(said: str, read: str) -> None:
    """A summary ends before the first thing that is not the grader's own."""
    assert in_own_words(said) == read


def test_page_for_the_student_holds_no_hidden_value() -> None:
    """The HTML page of an official grade is written from what the student may see."""
    feedback = Feedback("wrong", ("expected: 0.123456", "received: 1"), "help stays", "f(0.987)", "assignment/data.py:3 f", "0.555")
    check = CheckResult("data/x", "title", State.FAILED, 2, 0, feedback=feedback, command="pytest grader -k x", hidden=True)
    result = GradeResult("a", "d", (check,), True, "0.1.0", "tier A", "2026-01-01T00:00:00Z", 1.0)
    page = render_html(result)
    assert "help stays" in page
    assert [value for value in ("0.123456", "0.987", "0.555") if value in page] == []
    assert GradeResult.from_json(result.to_json()) == result
