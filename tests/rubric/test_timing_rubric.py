"""Section 4 on submissions whose verdict is known, and the scripted clock itself."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import STUBS, chaffs, documented, lost, told, wheats

from grader.checks.scripted_clock import CLASSES, FIRST_TIMES, UNKNOWN, Call, ScriptedClock, in_batches
from grader.host.limits import for_check
from grader.host.submission import Submission
from grader.outcomes import CheckFailed
from grader.results import State
from grader.rubric.real_run import tells
from grader.rubric.timed_region import right_warmup_images

OTHERS = "profiling_findings or timing_findings or critical_kernel"
"""Quick checks of this section and of another one, which are graded with a chaff's own."""


def own(entry) -> str:
    """The keyword of a chaff's own check."""
    section, _, check = entry.check.partition("/")
    return f"{section}_findings" if check == "findings" else check


def test_reference_earns_all(graded, reference):
    """The reference passes every check of the section, which are worth 20 points together."""
    result = graded(reference, "test_timing.py")
    assert {check.name: check.feedback for check in result.checks if check.state is not State.PASSED} == {}
    assert result.score == result.points == 20


@pytest.mark.parametrize("entry", wheats("timing"))
def test_other_styles_earn_all(graded, entry):
    """Right answers in another style pass: mappings, NumPy numbers, other ways to wait, generators."""
    assert {name: told(check.feedback) for name, check in lost(graded(entry, "test_timing.py")).items()} == {}


@pytest.mark.parametrize("entry", chaffs("timing"))
def test_mistakes_are_named(graded, entry):
    """A wrong answer loses points in its own check, is told why, and loses none in another section."""
    checks = lost(graded(entry, f"{own(entry)} or {OTHERS}"))
    assert entry.check in checks
    assert {check.section for check in checks.values()} == {"timing"}
    assert {check.state for check in checks.values()} <= {State.FAILED, State.PARTIAL}
    feedback = told(checks[entry.check].feedback)
    assert [word for word in entry.words if word.lower() not in feedback.lower()] == [], feedback
    assert documented(entry, checks[entry.check])


def test_stubs_are_not_started(graded):
    """Of the untouched stubs every check says that it has not been started."""
    result = graded(STUBS, "test_timing.py")
    assert {check.state for check in result.checks} == {State.NOT_STARTED}
    assert all(check.feedback.summary.startswith("not started yet: ") for check in result.checks)


def test_grade_is_the_same_each_time(graded):
    """The same submission gets the same verdict and the same words: the time is scripted from the run's seed."""
    entry = next(parameter.values[0] for parameter in chaffs("timing") if parameter.id == "timing_one_over_latency")
    first, second = (graded(entry, "batch_figures").checks[0] for _ in range(2))
    assert (first.state, first.earned, first.feedback) == (second.state, second.earned, second.feedback)


@pytest.fixture
def bench() -> ScriptedClock:
    """Five images on a scripted clock."""
    return ScriptedClock(np.random.default_rng(3), 5)


def test_time_goes_on_by_script_only(bench):
    """Work costs its time when it is waited for, once; the first call with a batch size costs ten times as much."""

    def costs(size: int) -> tuple[float, float]:
        before = bench.clock()
        number = bench.predict(bench.images[:size])
        called = bench.clock()
        bench.wait(number)
        waited = bench.clock()
        bench.wait(number)
        assert bench.clock() - waited == pytest.approx(1e-4)
        return called - before, waited - called

    (call_s, first_s), (_, later_s), (_, other_size_s) = costs(2), costs(2), costs(3)
    assert 0.001 <= call_s <= 0.0042
    assert FIRST_TIMES * 0.006 <= first_s <= FIRST_TIMES * 0.015
    assert later_s <= 0.015
    assert other_size_s >= FIRST_TIMES * 0.007


def test_record_of_calls_and_waits(bench):
    """Each call is known by its images, and each result that was overtaken or unfinished is noted."""
    first = bench.predict(bench.images[:2])
    bench.wait(first)
    bench.clock()
    second = bench.predict(bench.images[2:4].astype(np.float64))
    third = bench.predict(np.concatenate([bench.images[4:], np.zeros_like(bench.images[:1])]))
    bench.clock()
    assert [call.images for call in bench.warmup] == [(0, 1)]
    assert [call.images for call in bench.timed] == [(2, 3), (4, UNKNOWN)]
    assert bench.overtaken == {second}
    assert [bench.unfinished(0), bench.unfinished(1), bench.unfinished(-1)] == [set(), {second, third}, {second, third}]
    assert bench.total_s == bench.times[1] - bench.times[0] > 0


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (np.zeros((2, 2, 3), np.float32), "without a batch axis"),
        (np.zeros((1, 4, 4, 3), np.float32), "wrong shape"),
        (np.zeros((0, 2, 2, 3), np.float32), "empty batch"),
        (np.zeros((100, 2, 2, 3), np.float32), "more images than there are"),
        (np.zeros((1, 2, 2, 3), bool), "array of images"),
        ("an image", "array of images"),
        ([[1]], "array of images"),
    ],
)
def test_hostile_batches_are_refused(bench, batch, words):
    """Whatever a submission passes to predict ends as a failed check with a reason."""
    with pytest.raises(CheckFailed, match=words):
        bench.predict(batch)


@pytest.mark.parametrize("number", [7, -1, "0", None, 0.5, 10**30])
def test_hostile_waits_are_refused(bench, number):
    """Waiting for what no call gave ends as a failed check."""
    with pytest.raises(CheckFailed):
        bench.wait(number)


def test_batches_of_a_count():
    """The last batch takes what is left."""
    assert in_batches(5, 2) == [(0, 1), (2, 3), (4,)]
    assert in_batches(2, 9) == [(0, 1)]


@pytest.mark.parametrize(
    ("clock", "words"),
    [
        ("time.time", "backwards"),
        ("datetime.datetime.now", "backwards"),
        ("time.process_time", "stands still"),
        ("time.perf_counter_ns", "nano"),
    ],
)
def test_unsteady_clocks_are_named(graded, reference, tmp_path, clock, words):
    """A clock that can jump, stands still or counts another unit is named, and costs the figures only."""
    source = (reference / "timing.py").read_text(encoding="utf-8").replace("import time\n", "import datetime\nimport time\n")
    (tmp_path / "timing.py").write_text(source.replace("= time.perf_counter", f"= {clock}"), encoding="utf-8")
    checks = lost(graded(tmp_path, "test_timing.py and not findings"))
    assert set(checks) == {"timing/online_figures", "timing/batch_figures", "timing/sweeps", "timing/real_run"}
    assert checks.pop("timing/real_run").state is State.COULD_NOT_RUN
    assert all(words in check.feedback.summary for check in checks.values())


@pytest.mark.parametrize(
    ("taken", "count", "batch_size"),
    [
        ([(0,), (1,), (2,), (0,), (1,)], 3, 1),
        ([(0,), (1,), (0,), (1,)], 3, 1),  # the last image is left out: whether that is "in order" is left open
        ([(0,), (0,), (0,)], 1, 1),
        ([(0,), (0,), (0,)], 2, 1),
        ([], 5, 1),
        ([(0, 1), (2, 3), (0, 1)], 5, 2),
        ([(0, 1), (2, 3), (4, 0)], 5, 2),
        ([(0, 1), (0, 1), (0, 1)], 8, 2),
        ([(0, 1, 2), (0, 1, 2)], 3, 9),
    ],
)
def test_ways_to_take_images_for_a_warmup(taken, count, batch_size):
    """Whatever the handout's words allow passes: what comes when the images run out can be read in more than one way."""
    right_warmup_images([([Call(number, images, 0) for number, images in enumerate(taken)], count)], batch_size)


@pytest.mark.parametrize(
    ("taken", "count", "batch_size", "words"),
    [
        ([(0,), (0,), (0,)], 6, 1, "every warm-up call takes the same image"),
        ([(5,), (5,)], 6, 1, "every warm-up call takes the same image"),
        ([(1,), (2,), (3,)], 6, 1, "do not take the images in order"),
        ([(0,), (2,), (1,)], 6, 1, "do not take the images in order"),
        ([(3,)], 6, 1, "do not take the images in order"),
        ([(0,), (UNKNOWN,)], 2, 1, "none of those passed"),
        ([(2, 3), (0, 1)], 6, 2, "do not take the images in order"),
        ([(UNKNOWN, UNKNOWN)], 6, 2, "none of those passed"),
    ],
)
def test_other_images_for_a_warmup_are_named(taken, count, batch_size, words):
    """What no reading allows costs half of the points."""
    with pytest.raises(CheckFailed, match=words) as error:
        right_warmup_images([([Call(number, images, 0) for number, images in enumerate(taken)], count)], batch_size)
    assert error.value.earned == 0.5


def test_other_steady_clocks_pass(graded, reference, tmp_path):
    """time.monotonic, a function of the student's own, and a clock chosen inside the function are as good."""
    source = (reference / "timing.py").read_text(encoding="utf-8")
    for number, clock in enumerate(("time.monotonic", "lambda: time.perf_counter()", "None")):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "timing.py").write_text(source.replace("= time.perf_counter", f"= {clock}"), encoding="utf-8")
        assert lost(graded(folder, "online_figures")) == {}


@pytest.mark.parametrize(
    "wait", ["np.array([result])", "result.numpy()", "result[0]", "list(result)", "result.argmax()", "tf.constant(result)"]
)
def test_ways_to_wait(shared, reference, tmp_path, wait):
    """A result that is looked at in any usual way has been waited for."""
    (tmp_path / "timing.py").write_text(
        f"import numpy as np\nimport tensorflow as tf\n\n\ndef look(predict, images):\n    result = predict(images)\n    {wait}\n",
        encoding="utf-8",
    )
    bench = ScriptedClock(np.random.default_rng(0), 2)
    student = Submission(tmp_path, shared, for_check())
    try:
        student.timing.look(student.tools.lazy_predict(bench.predict, bench.wait, CLASSES), bench.images)
    finally:
        student.close()
    bench.clock()
    assert bench.unfinished(0) == set()


@pytest.mark.parametrize(
    ("ratio", "own_s", "said"),
    [
        (0.1, [1.0, 1.1, 1.2, 1.0, 1.3, 1.1, 9.0], True),
        (0.001, [1.0, 9.0, 30.0, 1.0, 20.0, 1.1, 9.0], True),
        (1000, [1.0, 9.0, 30.0, 1.0, 20.0, 1.1, 9.0], True),
        (0.1, [1.0, 9.0, 30.0, 1.0, 20.0, 1.1, 9.0], False),
        (3.5, [1.0, 1.1, 5.0, 1.0, 6.0, 1.1, 9.0], False),
    ],
)
def test_busy_machine_forgives_only_what_it_explains(ratio, own_s, said):
    """On a busy machine a ratio tells only beyond the spread of our own times; one slow round of ours makes none busy."""
    assert tells(ratio, own_s) is said
