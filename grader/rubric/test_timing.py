"""Section 4, timing: the loop that is timed, what lies outside it, and the figures that come of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from grader.artifacts import Kernels, Machine, Results, Timings
from grader.checks import compare, expected
from grader.checks.check import check
from grader.checks.compare import Mistake, fail, require
from grader.checks.findings import each, finding, supported
from grader.checks.scripted_clock import CLASSES, Call, ScriptedClock, in_batches
from grader.checks.verdict import judge_together
from grader.errors import ResultsError
from grader.host.submission import Submission
from grader.lab import BATCH_IMAGES, BATCH_SIZES, ONLINE_COUNTS
from grader.rubric.real_run import agrees_with_ours
from grader.rubric.timed_region import (
    REGION,
    clock_was_read,
    clock_was_read_twice,
    each_was_waited_for,
    images_were_passed_on,
    nothing_was_printed,
    right_figures,
    right_loop,
    right_sweep,
    right_warmup,
    right_warmup_images,
    steady_clock,
    timed,
    warmup_was_waited_for,
    work_was_waited_for,
)

DEFAULT_WARMUP: Final = 3


@check(points=3)
def test_online_loop(submission: Submission, rng: np.random.Generator) -> None:
    """Online inference gives the model one image a call: each image exactly once, in order, inside the timed region."""
    benches = []
    for count in (_draw(rng, 6, 12), 1):
        bench, warmup = ScriptedClock(rng, count), _draw(rng, 1, 4)
        _time_online(submission, bench, warmup=warmup)
        right_loop(bench, 1, warmup)
        benches.append(bench)
    images_were_passed_on(benches)


@check(points=2)
def test_online_warmup(submission: Submission, rng: np.random.Generator) -> None:
    """Warm-up calls come before the clock starts, as many as asked for, take the images in order, and none of them is timed."""
    count = _draw(rng, 6, 12)
    benches = []
    for images, warmup in ((count, _draw(rng, 4, 6)), (count, None), (count, 0), (2, 5)):
        bench = ScriptedClock(rng, images)
        _time_online(submission, bench, **({} if warmup is None else {"warmup": warmup}))
        right_warmup(bench, 1, DEFAULT_WARMUP if warmup is None else warmup)
        benches.append(bench)
    right_warmup_images([(bench.warmup, len(bench.images)) for bench in benches], 1)


@check(points=2)
def test_online_waits(submission: Submission, rng: np.random.Generator) -> None:
    """Each result is waited for before the next call, and before the clock is read."""
    bench = ScriptedClock(rng, _draw(rng, 6, 12))
    _time_online(submission, bench, warmup=2)
    clock_was_read(bench)
    require(bool(bench.timed), "no call of predict lies between the readings of the clock, so no result was waited for", help=REGION)
    warmup_was_waited_for(bench)
    each_was_waited_for(bench)
    work_was_waited_for(bench)


@check(points=2)
def test_online_figures(submission: Submission, rng: np.random.Generator) -> None:
    """The figures of online inference follow from two readings of the clock, and the clock never runs backwards."""
    benches = []
    for count in (_draw(rng, 6, 12), 1):
        bench = ScriptedClock(rng, count, printed=lambda: submission.printed_bytes)
        timing = _time_online(submission, bench, warmup=2)
        right_figures(timing, bench, 1)
        benches.append(bench)
    nothing_was_printed(benches)
    steady_clock(submission, "time_online")
    clock_was_read_twice(benches)


@check(points=4)
def test_batch_loop(submission: Submission, rng: np.random.Generator) -> None:
    """Batch inference gives the model batches of the size asked for; the smaller last batch is kept."""
    size = _draw(rng, 3, 5)
    sizes_seen = {}
    benches = []
    for batch_size, count in ((size, 3 * size + _draw(rng, 1, size - 1)), (size - 1, 4 * (size - 1)), (size + 9, size + 4)):
        bench, warmup = ScriptedClock(rng, count), _draw(rng, 1, 3)
        _time_batches(submission, bench, batch_size, warmup=warmup)
        sizes_seen[batch_size] = {len(call.images) for call in timed(bench, warmup)}
        benches.append((bench, batch_size, warmup))
    seen = set().union(*sizes_seen.values())
    if len(seen) == 1 and seen != {1}:
        fail(
            "the batch size never changes, whatever is asked for",
            f"batch sizes asked for: {', '.join(map(str, sizes_seen))}",
            f"images a call: {seen.pop()} each time",
            help="Slice the images yourself: images[first : first + batch_size].",
        )
    for bench, batch_size, warmup in benches:
        right_loop(bench, batch_size, warmup)
    images_were_passed_on([bench for bench, _, _ in benches])


@check(points=2)
def test_batch_figures(submission: Submission, rng: np.random.Generator) -> None:
    """The figures of batch inference count images, not batches; warm-up calls take batches of the same size."""
    size = _draw(rng, 3, 5)
    benches = []
    for count in (3 * size + _draw(rng, 1, size - 1), 4 * size):
        bench = ScriptedClock(rng, count, printed=lambda: submission.printed_bytes)
        benches.append(bench)
        timing = _time_batches(submission, bench, size, warmup=2)
        right_figures(timing, bench, size)
        right_warmup(bench, size, 2)
        warmup_was_waited_for(bench)
        work_was_waited_for(bench)
        each_was_waited_for(bench)
    nothing_was_printed(benches)
    # The other ways to be called: no warm-up, the default one, a batch larger than all images together, and more warm-up calls than there
    # are full batches, with a smaller one behind these.
    others: list[tuple[ScriptedClock, int]] = []
    for count, batch_size, warmup in ((2 * size, size, 0), (2 * size, size, None), (size, size + 3, 1), (2 * size + 1, size, 4)):
        bench = ScriptedClock(rng, count)
        timing = _time_batches(submission, bench, batch_size, **({} if warmup is None else {"warmup": warmup}))
        right_figures(timing, bench, batch_size)
        right_warmup(bench, batch_size, DEFAULT_WARMUP if warmup is None else warmup)
        others.append((bench, batch_size))
    steady_clock(submission, "time_batches")
    clock_was_read_twice(benches)
    for bench, batch_size in [*((bench, size) for bench in benches), *others]:
        right_warmup_images([(bench.warmup, len(bench.images))], batch_size)


@check(points=2)
def test_sweeps(submission: Submission, rng: np.random.Generator) -> None:
    """The sweeps measure every setting on the same images, in the order given, each with a warm-up of its own."""

    def options(warmup: int | None) -> dict[str, int]:
        return {} if warmup is None else {"warmup": warmup}

    def online(bench: ScriptedClock, counts: Sequence[int], warmup: int | None, *given: Any) -> None:
        timings = submission.timing.online_sweep(_predict(submission, bench), bench.images, *given, clock=bench.clock, **options(warmup))
        settings = [(count, 1) for count in counts]
        found = right_sweep("online_sweep", timings, bench, settings, DEFAULT_WARMUP if warmup is None else warmup)
        warmups.extend(zip(found, counts, strict=True))

    warmups: list[tuple[Sequence[Call], int]] = []

    def batches(bench: ScriptedClock, sizes: Sequence[int], warmup: int | None, *given: Any) -> None:
        timings = submission.timing.batch_sweep(_predict(submission, bench), bench.images, *given, clock=bench.clock, **options(warmup))
        settings = [(len(bench.images), size) for size in sizes]
        right_sweep("batch_sweep", timings, bench, settings, DEFAULT_WARMUP if warmup is None else warmup)

    def online_sweep() -> None:
        counts = [int(count) for count in rng.permutation([3, 5, 8, 9])]
        online(ScriptedClock(rng, 12), counts, 2, counts)
        online(ScriptedClock(rng, 12), counts[:2], None, counts[:2])
        online(ScriptedClock(rng, 6), [4, 2, 4], 1, [4, 2, 4])
        online(ScriptedClock(rng, max(ONLINE_COUNTS)), ONLINE_COUNTS, 1)
        steady_clock(submission, "online_sweep")
        right_warmup_images(warmups, 1, "online_sweep")

    def batch_sweep() -> None:
        sizes = [int(size) for size in rng.permutation([2, 3, 4, 6])]
        batches(ScriptedClock(rng, 11), sizes, 2, sizes)
        batches(ScriptedClock(rng, 11), sizes[:2], None, sizes[:2])
        batches(ScriptedClock(rng, 5), [2, 8], 1, [2, 8])
        batches(ScriptedClock(rng, 5), [3, 2, 3], 1, [3, 2, 3])
        batches(ScriptedClock(rng, 230), BATCH_SIZES, 1)
        steady_clock(submission, "batch_sweep")

    each(online_sweep, batch_sweep)


@check(points=1, needs=("online_figures", "batch_figures"), alone=True)
def test_real_run(submission: Submission) -> None:
    """On real work the timing functions report about the time that the grader's own loop measures in turn with them."""
    agrees_with_ours(submission)


@check(points=2)
def test_timing_findings(results: Results, folder: Path) -> None:
    """What you report of latency and throughput follows from your own timings, and they are possible."""
    source = "results/timings.json"

    def online_total_s() -> None:
        found = finding(folder, "timing", "online_total_s", list, length=len(ONLINE_COUNTS))
        timings = results.read(Timings)
        per_image = [run.total_s / run.count for run in sorted(timings.online, key=lambda run: run.count)]
        mistake = Mistake(per_image, "the time of one image is given instead of the total")
        supported(found, expected.online_total_s(timings), source, mistakes=[mistake])

    def best_batch_size() -> None:
        found = finding(folder, "timing", "best_batch_size", int)
        timings = results.read(Timings)
        slowest = min(timings.batches, key=lambda run: run.images_per_second).batch_size
        mistake = Mistake(slowest, "this batch size has the fewest images a second", "More images a second is better.")
        supported(found, expected.best_batch(timings)[0], source, mistakes=[mistake])

    def speed_up() -> None:
        found = finding(folder, "timing", "speed_up", float)
        timings = results.read(Timings)
        ratio = expected.best_batch(timings)[1]
        mistake = Mistake(1 / ratio, "the ratio is upside down", "Images a second of the batches / images a second online.")
        supported(found, ratio, source, mistakes=[mistake])

    # What is wrong with the measurements comes first: findings can only follow from them.
    each(lambda: _possible(results), online_total_s, best_batch_size, speed_up)


def _draw(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def _predict(submission: Submission, bench: ScriptedClock) -> Any:
    return submission.tools.lazy_predict(bench.predict, bench.wait, CLASSES)


def _time_online(submission: Submission, bench: ScriptedClock, **options: Any) -> Any:
    bench.plan = in_batches(len(bench.images), 1)
    return submission.timing.time_online(_predict(submission, bench), bench.images, clock=bench.clock, **options)


def _time_batches(submission: Submission, bench: ScriptedClock, batch_size: int, **options: Any) -> Any:
    bench.plan = in_batches(len(bench.images), batch_size)
    return submission.timing.time_batches(_predict(submission, bench), bench.images, batch_size, clock=bench.clock, **options)


def _possible(results: Results) -> None:
    timings = results.read(Timings)
    _as_asked([(run.count, run.batch_size) for run in timings.online], [(count, 1) for count in ONLINE_COUNTS], "online")
    _as_asked([(run.count, run.batch_size) for run in timings.batches], [(BATCH_IMAGES, size) for size in BATCH_SIZES], "batches")
    verdict = judge_together(timings, _if_there(results, Kernels), getattr(_if_there(results, Machine), "peak_macs_per_s", None))
    broken = [rule for rule in verdict.rules if rule.fatal and not rule.kept]
    # What is unsteady is told in `lab measure` and on the dashboard, and never costs a point.
    if broken:
        others = (f"also: {rule.summary} ({rule.found})" for rule in broken[1:4])
        fail(f"results/timings.json is INVALID: {broken[0].summary}", broken[0].found, *others, help=verdict.advice)


def _if_there(results: Results, kind: type[Any]) -> Any:
    try:
        return results.read(kind)
    except ResultsError:
        return None  # another check's matter


def _as_asked(found: list[tuple[int, int]], wanted: list[tuple[int, int]], key: str) -> None:
    require(
        sorted(found) == sorted(wanted),
        f"results/timings.json does not hold the measurements of the lab under {key!r}",
        f"expected (images, batch size): {wanted}",
        f"received: {compare.show(found)}",
        help="Run `lab measure`, which asks for them.",
    )
