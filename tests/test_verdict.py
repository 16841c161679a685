"""What the verdict on timings says: of figures that cannot be, of noise, and of good ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.artifacts import Kernels, KernelSample, KernelTime, Results, TimingRun, Timings
from grader.checks import verdict
from grader.checks.verdict import INVALID, MACS_PER_IMAGE, UNSTABLE, VALID, Rule, judge, judge_together

SOLUTIONS = Path(__file__).parents[1] / "solutions"
SIZES = (20, 40, 100, 200)


def run(count: int, batch_size: int, *totals_s: float) -> TimingRun:
    """A timing whose figures follow from the median of its totals."""
    total_s = sorted(totals_s)[len(totals_s) // 2]
    calls = -(-count // batch_size)
    return TimingRun(
        count=count,
        batch_size=batch_size,
        total_s=total_s,
        latency_ms=1000 * total_s / calls,
        images_per_second=count / total_s,
        totals_s=list(totals_s),
    )


def timings(online: tuple[float, float, float], batches: tuple[float, float, float, float]) -> Timings:
    """Timings of the lab from totals alone, a single repeat each."""
    counts = zip((10, 100, 1000), online, strict=True)
    sizes = zip(SIZES, batches, strict=True)
    return Timings(online=[run(count, 1, total) for count, total in counts], batches=[run(1000, size, total) for size, total in sizes])


def kernels(*latencies_ms: float) -> Kernels:
    """Three profiles with these latencies."""
    row = KernelTime(layer="conv2", kernel="_FusedConv2D", duration_us=1.0)
    samples = [KernelSample(image="a", label=0, end_to_end_us=1000 * value, rows=[row]) for value in latencies_ms]
    return Kernels(samples=samples)


GOOD = timings((0.03, 0.3, 3.0), (2.1, 1.8, 1.6, 1.5))


def broken(judged: verdict.Verdict) -> dict[str, Rule]:
    """The rules that are not kept, by name."""
    return {rule.name: rule for rule in judged.rules if not rule.kept}


def test_figures_of_the_group_are_flagged_with_reasons():
    """What one group reported: no trend over batch sizes, and 19 ms online beside 1.15 ms in the trace."""
    judged = judge_together(timings((0.194, 2.136, 18.595), (0.978, 4.869, 1.925, 9.149)), kernels(1.016, 1.159, 1.159))
    assert judged.word == INVALID
    assert broken(judged).keys() == {verdict.A_TREND, verdict.TRACE_AGREES}
    assert "tracing, a first call, or other programs" in judged.advice
    assert "18.59" in broken(judged)[verdict.TRACE_AGREES].found
    assert not broken(judged)[verdict.TRACE_AGREES].fatal


def test_reference_is_possible():
    """The reference's own measurements break no rule that costs points."""
    results = Results(SOLUTIONS)
    judged = judge_together(results.read(Timings), results.read(Kernels))
    assert not [rule for rule in judged.rules if rule.fatal and not rule.kept]


def test_good_figures_are_valid():
    """Figures that follow from each other, with a trace that agrees and a peak that allows them."""
    assert judge_together(GOOD, kernels(2.9, 3.0, 3.1), peak_macs_per_s=MACS_PER_IMAGE / 1e-3).word == VALID


@pytest.mark.parametrize(
    ("figures", "peak", "name"),
    [
        (timings((0.03, 0.02, 3.0), (2.1, 1.8, 1.6, 1.5)), None, verdict.PARTS_BELOW),
        (timings((0.03, 0.3, 1.0), (2.1, 1.8, 1.6, 1.5)), None, verdict.BATCH_AHEAD),
        (timings((0.03, 0.3, 3.0), (1.5, 1.5, 1.5, 6.0)), None, verdict.A_TREND),
        (GOOD, MACS_PER_IMAGE / 10e-3, verdict.WITHIN_PEAK),
    ],
)
def test_impossible_figures_are_invalid(figures: Timings, peak: float | None, name: str):
    """Each rule of arithmetic is broken by what it is for, and by nothing else."""
    judged = judge_together(figures, None, peak)
    assert judged.word == INVALID
    assert broken(judged).keys() == {name}
    assert judged.advice


@pytest.mark.parametrize(("field", "name"), [("images_per_second", verdict.FOLLOWS_THROUGHPUT), ("latency_ms", verdict.FOLLOWS_LATENCY)])
def test_figures_follow_from_their_total(field: str, name: str):
    """A figure beside a total that it does not follow from."""
    odd = GOOD.batches[1].model_copy(update={field: 77.0})
    judged = judge_together(GOOD.model_copy(update={"batches": [GOOD.batches[0], odd, *GOOD.batches[2:]]}))
    assert broken(judged).keys() == {name}


def test_saved_arithmetic_is_allowed():
    """A Winograd convolution does an image in less time than multiply-accumulates over the peak, and is not called impossible."""
    assert judge([0.5] * 10, images=1000, peak_macs_per_s=MACS_PER_IMAGE * 1000).word == VALID


@given(st.lists(st.floats(0.002, 50.0), min_size=1, max_size=30))
def test_noise_alone_is_never_invalid(samples: list[float]):
    """Without a peak to compare with, the repeats of one setting are VALID or UNSTABLE, with advice where they are not VALID."""
    judged = judge(samples, images=100)
    assert judged.word in (VALID, UNSTABLE)
    assert bool(judged.advice) == (judged.word == UNSTABLE)


@given(st.lists(st.floats(0.8, 1.25), min_size=40, max_size=40))
def test_noise_over_batch_sizes_is_no_fault(noise: list[float]):
    """Repeats that differ by a quarter leave the figures of a submission possible."""
    totals = zip(SIZES, (2.1, 1.8, 1.6, 1.5), strict=True)
    batches = [run(1000, size, *(total * factor for factor in noise[10 * n : 10 * n + 10])) for n, (size, total) in enumerate(totals)]
    judged = judge_together(GOOD.model_copy(update={"batches": batches}))
    assert not broken(judged)


def test_every_rule_has_advice_and_words():
    """A rule that can be broken says what to do; one that costs points also what is wrong."""
    rules = [*judge_together(GOOD, kernels(3, 3, 3), 1e12).rules, *judge([0.1] * 3, images=10, peak_macs_per_s=1e12).rules]
    for rule in rules:
        assert verdict._ADVICE[rule.name]
        assert not dataclasses.replace(rule, kept=False).summary.startswith("it breaks") or not rule.fatal
