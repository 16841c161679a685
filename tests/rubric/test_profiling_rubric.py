"""Section 3 on submissions whose verdict is known."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from conftest import STUBS, chaffs, documented, lost, told, wheats

from grader.checks.xplane import TraceEvent, kernel_times
from grader.outcomes import CheckFailed
from grader.results import State
from grader.rubric.test_profiling import _unnamed
from grader.rubric.traces import TELLING, TracedCalls, right_places, wrong_tables

OTHERS = "profiling_findings or timing_findings or online_figures"
"""Quick checks of this section and of another one, which are graded with a chaff's own."""


def own(entry) -> str:
    """The keyword of a chaff's own check."""
    section, _, check = entry.check.partition("/")
    return f"{section}_findings" if check == "findings" else check


def test_reference_earns_all(graded, reference):
    """The reference passes every check of the section, which are worth 20 points together."""
    result = graded(reference, "test_profiling.py")
    assert {check.name: check.feedback for check in result.checks if check.state is not State.PASSED} == {}
    assert result.score == result.points == 20


@pytest.mark.parametrize("entry", wheats("profiling"))
def test_other_styles_earn_all(graded, entry):
    """Right answers in another style pass: the profiler started by hand, pandas, patterns, running sums."""
    assert {name: told(check.feedback) for name, check in lost(graded(entry, "test_profiling.py")).items()} == {}


@pytest.mark.parametrize("entry", chaffs("profiling"))
def test_mistakes_are_named(graded, entry):
    """A wrong answer loses points in its own check, is told why, and loses none in another section."""
    checks = lost(graded(entry, f"{own(entry)} or {OTHERS}"))
    assert entry.check in checks
    assert {check.section for check in checks.values()} == {"profiling"}
    assert {check.state for check in checks.values()} <= {State.FAILED, State.PARTIAL}
    feedback = told(checks[entry.check].feedback)
    assert [word for word in entry.words if word.lower() not in feedback.lower()] == [], feedback
    assert documented(entry, checks[entry.check])


def test_stubs_are_not_started(graded):
    """Of the untouched stubs every check says that it has not been started."""
    result = graded(STUBS, "test_profiling.py")
    assert {check.state for check in result.checks} == {State.NOT_STARTED}
    assert all(check.feedback.summary.startswith("not started yet: ") for check in result.checks)


def test_grade_is_the_same_each_time(graded):
    """The same submission gets the same verdict and the same words, with the same smallest example."""
    entry = next(parameter.values[0] for parameter in chaffs("profiling") if parameter.id == "profiling_name_found_anywhere")
    first, second = (graded(entry, "kernel_table").checks[0] for _ in range(2))
    assert (first.state, first.earned, first.feedback) == (second.state, second.earned, second.feedback)
    assert "Event(" in first.feedback.example


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: shutil.rmtree(folder), "one trace for each sample"),
        (lambda folder: (folder / "1.xplane.pb").write_bytes((folder / "1.xplane.pb").read_bytes()[:100]), "cut short"),
        (lambda folder: (folder / "1.xplane.pb").write_bytes(b"\x00" * 5_000_000), "bytes"),
        (lambda folder: shutil.copyfile(folder / "0.xplane.pb", folder / "1.xplane.pb"), "does not follow from the trace"),
    ],
    ids=["missing", "cut short", "huge", "of another image"],
)
def test_traces_that_do_not_fit(graded, reference, tmp_path, change, words):
    """Traces that are missing, damaged or of something else cost a part of the findings, with the reason."""
    folder = shutil.copytree(reference, tmp_path / "submission")
    change(folder / "results" / "trace")
    (check,) = graded(folder, "profiling_findings").checks
    assert check.state in (State.FAILED, State.PARTIAL)
    assert check.earned < check.points
    assert words in told(check.feedback)


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (np.zeros((4, 4, 3), np.float32), "no batch axis"),
        (np.zeros((2, 4, 4, 3), np.float32), "wrong shape"),
        (np.ones((1, 4, 4, 3), np.float32), "another image"),
        (np.zeros((1, 4, 4, 3), np.int64), "float32 array"),
        (np.zeros((1, 4, 4, 3), np.float64), "a float64 array"),
        (np.zeros((1, 4, 4, 3), np.float16), "a float16 array"),
        (np.full((1, 4, 4, 3), np.nan, np.float32), "another image"),
        ("an image", "float32 array"),
    ],
)
def test_hostile_batches_are_refused(batch, words):
    """Whatever a submission passes to predict ends as a failed check with a reason."""
    with pytest.raises(CheckFailed, match=words):
        TracedCalls(np.zeros((4, 4, 3), np.float32)).predict(batch)


def test_forged_trace_without_a_call(graded, reference, tmp_path):
    """A trace that was written beforehand is of other layers, and no call was seen."""
    (tmp_path / "profiling.py").write_text(
        "import shutil\n\n\ndef capture_trace(predict, image, log_dir, *, warmup=3):\n"
        "    log_dir.mkdir()\n    (log_dir / 'x.xplane.pb').write_bytes(b'')\n",
        encoding="utf-8",
    )
    (check,) = graded(tmp_path, "capture_trace").checks
    assert (check.state, check.feedback.summary) == (State.FAILED, "capture_trace never calls predict")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([("conv1", "A", 2.1), ("conv1", "B", 5.2)], "rounded"),
        ([("conv1", "A", 2.0), ("conv1", "B", 5.0)], "rounded"),
        ([("conv1", "A", 2.125), ("conv1", "B", 5.0)], "durations of kernel_table's rows are wrong"),
        ([("conv1", "C", 7.375)], "keyed by layer alone"),
        ([("conv1", "A", 2.125)], "kernel_table's rows are wrong"),
        ([], "kernel_table's rows are wrong"),
    ],
)
def test_table_of_no_known_mistake(found, words):
    """Where no known mistake fits, what is right in a table is not blamed."""
    assert words in _unnamed(found, [("conv1", "A", 2.125), ("conv1", "B", 5.25)]).summary


def test_place_of_the_trace(tmp_path):
    """A trace lies in a folder of its run under log_dir/plugins/profile; elsewhere most of the points are left."""
    for number, place in enumerate(("plugins/profile/one", "deeper/plugins/profile/one", "plugins/profile")):
        folder = tmp_path / str(number) / place
        folder.mkdir(parents=True)
        (folder / "host.xplane.pb").write_bytes(b"")
    right_places([tmp_path / "0"])
    for number, place in ((1, "log_dir/deeper/plugins/profile/one/host.xplane.pb"), (2, "log_dir/plugins/profile/host.xplane.pb")):
        with pytest.raises(CheckFailed, match="within log_dir") as error:
            right_places([tmp_path / "0", tmp_path / str(number)])
        assert f"received: {place}" in error.value.feedback.comparison
        assert error.value.earned == 0.75


def test_telling_trace_tells():
    """On the trace that is asked about when a table is wrong, all mistakes differ from the right table and from each other."""
    rows, layer_names = TELLING
    events = [TraceEvent(**row) for row in rows]
    right = sorted((*place, us) for place, us in kernel_times(events, layer_names).items())
    tables = [right, *(mistake.value for mistake in wrong_tables(events, layer_names))]
    assert len({repr(table) for table in tables}) == len(tables)
