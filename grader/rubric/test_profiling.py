"""Section 3, profiling: a trace of one call, the table of its kernels, and what a set of samples may say."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st

from grader.artifacts import Kernels, Results
from grader.checks import compare, expected
from grader.checks.check import check, examples
from grader.checks.compare import Mistake, fail, require
from grader.checks.findings import ROUNDED, each, finding, supported
from grader.checks.oracle import lab_network
from grader.checks.suspects import Suspects
from grader.checks.xplane import TraceEvent, kernel_times, owner, read_trace, span_us
from grader.host.submission import Submission
from grader.rubric.traces import (
    BY_LAYER,
    LONG_TABLE,
    LONG_TRACE,
    ODD_NAMES,
    OVERLOOKED,
    PICTURE_SHAPE,
    TELLING,
    TracedCalls,
    draw_event_rows,
    draw_kernel_rows,
    draw_network,
    right_places,
    right_trace,
    wrong_tables,
)

KERNEL_FIELDS: Final = ("layer", "kernel", "duration_us")
FLOAT32: Final = 1e-6
"""Relative precision of what was calculated in float32, whose numbers have 24 binary digits."""

SUMMARY_FIELDS: Final = ("count", "mean", "median", "std", "minimum", "maximum", "p90", "p95", "p99")
ENOUGH: Final = {"p90": 64, "p95": 130, "p99": 662}
"""Samples from which a percentile may be given."""

_SIZES: Final = (10, 2, 3, 1, 11, 63, 64, 65, 129, 130, 661, 662, 700)

SPLIT_ROWS: Final = [
    {"layer": layer, "kernel": kernel, "duration_us": duration_us}
    for layer, kernel, duration_us in (
        *(("pool1", "MaxPool", 8.0), ("conv2", "BiasAdd", 24.0), ("conv1", "_FusedConv2D", 40.0)),
        *(("conv2", "_FusedConv2D", 24.0), ("dense1", "Softmax", 4.0)),
    )
]
"""The longest row belongs to another layer than the longest time in all, and two rows take equally long."""

SHARED_ROWS: Final = [
    {"layer": layer, "kernel": kernel, "duration_us": duration_us}
    for layer, kernel, duration_us in (
        *(("conv3", "BiasAdd", 24.0), ("conv1", "_FusedConv2D", 40.0), ("conv2", "BiasAdd", 30.0)),
        ("dense1", "Softmax", 2.0),
    )
]
"""The longest row has another kernel than the one that takes longest in all layers together."""

ALL_ZERO: Final = -1
"""Stands for a seed: all samples are 0, and so is all that is said of them."""

_ZERO: Final = "0.0 counts as False: `value or None` and `if value` make None of it. Ask how many samples there are instead."


@check(points=5, wall_s=60.0)
def test_capture_trace(submission: Submission, rng: np.random.Generator) -> None:
    """A trace of exactly one call, with the kernels of every layer, recorded after the warm-up."""
    layers = draw_network(rng)
    model = submission.tools.make_network(layers, list(PICTURE_SHAPE))
    image = rng.random(PICTURE_SHAPE, np.float32)
    folders = []
    for number, warmup in enumerate((int(rng.choice([2, 4])), None, 0)):
        calls = TracedCalls(image)
        predict = submission.tools.observed_predictor(model, calls.predict, calls.wait, layers[-1]["units"])
        folder = submission.scratch / f"trace-{number}"
        place = submission.tools.path(folder)
        submission.profiling.capture_trace(predict, image, place, **({} if warmup is None else {"warmup": warmup}))
        right_trace(calls, folder, layers, 3 if warmup is None else warmup)
        folders.append(folder)
    right_places(folders)


@check(points=4)
@examples(count=80, always=[{"case": case} for case in ODD_NAMES], case=draw_event_rows() | st.just(LONG_TRACE))
def test_kernel_table(submission: Submission, suspects: Suspects, case: tuple[list[dict[str, Any]], list[str]]) -> None:
    """A row for each layer and kernel, durations added up, the longest first."""

    def ask(rows: list[dict[str, Any]], layer_names: list[str]) -> tuple[list[tuple[str, str, float]], list[TraceEvent], list[Mistake]]:
        events = [TraceEvent(**row) for row in rows]
        table = _table(submission.profiling.kernel_table(submission.records("profiling", "Event", rows), layer_names))
        return table, events, suspects.left(sorted(table), wrong_tables(events, layer_names))

    rows, layer_names = case
    found, events, left = ask(rows, layer_names)
    wanted = [(layer, kernel, total_us) for (layer, kernel), total_us in kernel_times(events, layer_names).items()]
    if not _same_rows(found, wanted):
        if len(left) > 1:
            ask(*TELLING)
            left = ask(rows, layer_names)[-1]  # last, so that this is the call that the student is shown
        named = left[0] if left else _unnamed(found, wanted)
        fail(
            named.summary,
            f"layer names: {layer_names}",
            f"expected: {_written(wanted)}",
            f"received: {_written(found)}",
            help=named.help,
        )
    durations = [duration_us for _, _, duration_us in found]
    if durations != sorted(durations, reverse=True):
        fail("the rows are not ordered by time, the longest first", f"received durations: {durations}", help="sorted(..., reverse=True)")


@check(points=2)
@examples(count=40, always=[{"rows": SPLIT_ROWS}, {"rows": SHARED_ROWS}], rows=draw_kernel_rows() | st.just(LONG_TABLE))
def test_critical_kernel(submission: Submission, suspects: Suspects, rows: list[dict[str, Any]]) -> None:
    """The kernel that takes longest, and its share of the time of all rows."""
    answer = submission.profiling.critical_kernel(submission.records("profiling", "KernelRow", rows))
    found = compare.record(answer, ("layer", "kernel", "share"), "critical_kernel's result", "CriticalKernel")
    longest = max(rows, key=lambda row: row["duration_us"])
    shortest = min(rows, key=lambda row: row["duration_us"])
    total_us = sum(row["duration_us"] for row in rows)
    of_layer_us = sum(row["duration_us"] for row in rows if row["layer"] == longest["layer"])
    longest_us = longest["duration_us"]
    place = [found["layer"], found["kernel"]]
    times = {name: [row for row in rows if row["layer"] == name] for name in {row["layer"] for row in rows}}
    of_busiest = max(times, key=lambda name: sum(row["duration_us"] for row in times[name]))
    busiest = max(times[of_busiest], key=lambda row: row["duration_us"])
    kernels = {name: [row for row in rows if row["kernel"] == name] for name in {row["kernel"] for row in rows}}
    commonest = max(kernels.values(), key=lambda found: sum(row["duration_us"] for row in found))
    shared = max(commonest, key=lambda row: row["duration_us"])
    wrong_places = [
        Mistake([busiest["layer"], busiest["kernel"]], "the layer with the longest time in all is taken, not the longest row"),
        Mistake(
            [shared["layer"], shared["kernel"]], "the times of a kernel are added up over the layers: a row is one kernel in one layer"
        ),
        Mistake([rows[0]["layer"], rows[0]["kernel"]], "the first row is taken, but rows come in any order"),
        Mistake([shortest["layer"], shortest["kernel"]], "the shortest row is taken, not the longest"),
    ]
    wrong_shares = [
        Mistake(100 * longest_us / total_us, "the share is in percent, not a fraction of 1"),
        Mistake(longest_us / of_layer_us, "the share is of its own layer's time, not of the time of all rows"),
        Mistake(of_layer_us / total_us, "the share is that of all kernels of the layer, not of this kernel"),
        Mistake(longest_us / max(total_us - longest_us, 1e-9), "the share is of the time of the other rows, without itself"),
        Mistake(1 / len(rows), "the share counts rows, not their time"),
        Mistake(longest_us, "the share is a time, not a part of the time of all rows"),
    ]
    compare.equal(
        place,
        [longest["layer"], longest["kernel"]],
        "layer and kernel",
        help="Take the one row with the longest duration_us of all. Rows come in any order, and each stands for itself.",
        mistakes=suspects.left(place, wrong_places, of="place"),
    )
    compare.close(
        found["share"],
        longest_us / total_us,
        "share",
        help="The share is its time / the time of all rows together.",
        mistakes=suspects.left(found["share"], wrong_shares, of="share"),
    )


@check(points=3)
@examples(count=60, case=draw_event_rows(with_kernels=True) | st.just(LONG_TRACE))
def test_end_to_end(submission: Submission, suspects: Suspects, case: tuple[list[dict[str, Any]], list[str]]) -> None:
    """The time from the first kernel's start to the last one's end; kernels may overlap."""
    rows, layer_names = case
    found = submission.profiling.end_to_end_us(submission.records("profiling", "Event", rows), layer_names)
    events = [TraceEvent(**row) for row in rows]
    kernels = sorted((event for event in events if owner(event.name, layer_names)), key=lambda event: event.start_us)
    first_us, last = kernels[0].start_us, kernels[-1]
    end_us = first_us + span_us(events, layer_names)
    all_ends = [event.start_us + event.duration_us for event in events]
    exact = [event for event in kernels if any(part in layer_names for part in event.name.partition(":")[0].split("/"))]
    others = "The last kernel to start may end before another one that runs beside it."
    mistakes = [
        Mistake(sum(event.duration_us for event in kernels), "the durations are added up: gaps are left out, overlaps count twice"),
        Mistake(last.start_us + last.duration_us - first_us, "the end of the kernel that starts last is taken for the latest end", others),
        Mistake(last.start_us - first_us, "the last kernel's own duration is left out"),
        Mistake(max(all_ends) - min(event.start_us for event in events), "events that belong to no layer are counted"),
        Mistake(end_us, "the time is counted from the start of the trace, not of the first kernel"),
        Mistake((end_us - first_us) / 1000, "the time is in milliseconds, not in microseconds"),
        Mistake(span_us(exact, layer_names), f"{OVERLOOKED}: conv1_1 is layer conv1 where no layer has that name itself"),
    ]
    left = suspects.left(found, mistakes)
    compare.close(found, end_us - first_us, "end_to_end_us", help="Latest end minus earliest start.", mistakes=left)


@check(points=3)
@examples(
    count=60,
    always=[{"size": 10, "seed": 0}, {"size": 700, "seed": ALL_ZERO}],
    size=st.sampled_from(_SIZES),
    seed=st.integers(0, 2**16),
)
def test_summarise(submission: Submission, size: int, seed: int) -> None:
    """What a set of samples says, and None for what it is too small to say."""
    # Any numbers: in every third case all of them are below 0.
    if seed == ALL_ZERO:
        values = np.zeros(size)
    else:
        values = np.round(np.random.default_rng(seed).gamma(4.0, 2.0, size) + 1, 2) * (-1 if seed % 3 == 1 else 1)
    found = compare.record(submission.profiling.summarise(values.tolist()), SUMMARY_FIELDS, "summarise's result", "Summary")
    mean, median = float(values.mean()), float(np.median(values))
    compare.equal(compare.integer(found["count"], "count"), size, "count")
    compare.close(found["mean"], mean, "mean", mistakes=[Mistake(median, "mean is the median")])
    middle = float(np.sort(values)[size // 2])
    compare.close(
        found["median"],
        median,
        "median",
        mistakes=[
            Mistake(mean, "median is the mean"),
            Mistake(float(values[size // 2]), "median takes the middle of the samples as they come: order them first"),
            Mistake(middle, "median takes one of the two middle samples, not their mean"),
            Mistake(statistics.median_low(values.tolist()), "median takes one of the two middle samples, not their mean"),
        ],
    )
    if size == 1:
        require(found["std"] is None, "the standard deviation of a single sample cannot be told: it should be None", _got(found["std"]))
    else:
        if found["std"] is None:
            fail(
                f"std is None although {size} samples are enough",
                f"expected: {values.std(ddof=1):.6g}",
                "received: None",
                help="" if values.any() else _ZERO,
            )
        mistakes = [
            Mistake(float(values.std()), "std divides by count: a sample's standard deviation divides by count - 1", "Pass ddof=1."),
            Mistake(float(values.var(ddof=1)), "std is the variance: take its square root"),
        ]
        # Samples that were kept in float32 are as good as those in float64, also where two of them differ by little.
        compare.close(
            found["std"], float(values.std(ddof=1)), "std", absolute=max(1e-9, FLOAT32 * float(np.abs(values).max())), mistakes=mistakes
        )
    compare.close(found["minimum"], float(values.min()), "minimum")
    compare.close(found["maximum"], float(values.max()), "maximum")
    for name, needed in ENOUGH.items():
        percent = int(name[1:])
        if size < needed:
            require(
                found[name] is None,
                f"{name} of {size} samples is given: they are too few to say it",
                f"expected: None, as for fewer than {needed} samples",
                _got(found[name]),
                help=f"The largest of {size} samples is no {percent}th percentile under another name.",
            )
        elif found[name] is None:
            fail(
                f"{name} is None although {size} samples are enough",
                f"expected: a number from {needed} samples on" + ("" if values.any() else "; here all samples are 0, so it is 0"),
                help="" if values.any() else _ZERO,
            )
        else:
            tail = Mistake(float(np.percentile(values, 100 - percent)), f"{name} is taken from the wrong end")
            compare.close(found[name], float(np.percentile(values, percent)), name, help="np.percentile(samples, ...)", mistakes=[tail])


@check(points=3)
def test_profiling_findings(results: Results, folder: Path) -> None:
    """What you report of the kernels follows from your own profile, and the profile from your traces."""
    source = "results/kernels.json"

    def slowest_layer() -> None:
        found = finding(folder, "profiling", "slowest_layer", str)
        supported(found, expected.slowest(results.read(Kernels))[0], source)

    def slowest_share() -> None:
        found = finding(folder, "profiling", "slowest_share", float)
        kernels = results.read(Kernels)
        first = kernels.samples[0]
        of_latency = max(row.duration_us for row in first.rows) / first.end_to_end_us
        mistake = Mistake(of_latency, "the share is of the end-to-end latency, not of the time of all rows")
        supported(found, expected.slowest(kernels)[1], source, mistakes=[mistake])

    def sample_latencies_ms() -> None:
        found = finding(folder, "profiling", "sample_latencies_ms", list, length=3)
        kernels = results.read(Kernels)
        sums = [sum(row.duration_us for row in sample.rows) / 1000 for sample in kernels.samples]
        mistake = Mistake(sums, "these are the sums of the kernels, not the end-to-end latencies")
        supported(found, expected.sample_latencies_ms(kernels), source, mistakes=[mistake])

    def sample_sum_ms() -> None:
        found = finding(folder, "profiling", "sample_sum_ms", float)
        latencies = expected.sample_latencies_ms(results.read(Kernels))
        mean = Mistake(sum(latencies) / 3, "this is the mean of the three samples, not their sum")
        supported(found, sum(latencies), source, mistakes=[mean, Mistake(max(latencies), "this is one sample, not the sum of the three")])

    # What is wrong with the measurements comes first: findings can only follow from them.
    of_traces = (lambda: _rows_follow(results), lambda: _latencies_follow(results))
    each(*of_traces, slowest_layer, slowest_share, sample_latencies_ms, sample_sum_ms)


def _rows_follow(results: Results) -> None:
    for number, (sample, events) in enumerate(_samples_with_traces(results)):
        told = {(row.layer, row.kernel): 0.0 for row in sample.rows}
        for row in sample.rows:
            told[row.layer, row.kernel] += row.duration_us
        layer_names = [*dict.fromkeys([layer["name"] for layer in lab_network()] + [row.layer for row in sample.rows])]
        traced = kernel_times(events, layer_names)
        for place in sorted(told.keys() | traced.keys()):
            one, other = told.get(place, 0.0), traced.get(place, 0.0)
            if abs(one - other) > max(0.05, ROUNDED * other):
                fail(
                    f"results/kernels.json does not follow from the trace: sample {number}, layer {place[0]}, kernel {place[1]}",
                    f"results/trace/{number}.xplane.pb gives: {other:.4g} us",
                    f"results/kernels.json says: {one:.4g} us",
                    help="Run `lab measure` again: it may have been interrupted. If the check of kernel_table fails, mend that first.",
                )


def _latencies_follow(results: Results) -> None:
    for number, (sample, events) in enumerate(_samples_with_traces(results)):
        longest = max(sample.rows, key=lambda row: row.duration_us)
        require(
            sample.end_to_end_us >= longest.duration_us * (1 - ROUNDED),
            f"sample {number} of results/kernels.json ends before its longest kernel does",
            f"end_to_end_us = {sample.end_to_end_us:.4g}, {longest.kernel} of {longest.layer} takes {longest.duration_us:.4g} us",
            help="The end-to-end time holds every kernel whole.",
        )
        traced = span_us(events, [*dict.fromkeys([layer["name"] for layer in lab_network()] + [row.layer for row in sample.rows])])
        require(
            abs(sample.end_to_end_us - traced) <= max(0.05, ROUNDED * traced),
            f"end_to_end_us of sample {number} in results/kernels.json does not follow from the trace",
            f"results/trace/{number}.xplane.pb gives: {traced:.4g} us",
            f"results/kernels.json says: {sample.end_to_end_us:.4g} us",
            help="Run `lab measure` again: it may have been interrupted. If the check of end_to_end_us fails, mend that first.",
        )


def _samples_with_traces(results: Results) -> list[tuple[Any, list[TraceEvent]]]:
    kernels, traces = results.read(Kernels), results.traces()
    require(
        len(traces) == len(kernels.samples),
        "results/trace should hold one trace for each sample of results/kernels.json",
        f"expected: {len(kernels.samples)} files (0.xplane.pb, ...)",
        f"received: {len(traces)}",
        help="Run `lab measure --fresh`, and hand in results/ whole.",
    )
    return [(sample, read_trace(trace)) for sample, trace in zip(kernels.samples, traces, strict=True)]


def _table(answer: Any) -> list[tuple[str, str, float]]:
    table = []
    for number, row in enumerate(compare.sequence(answer, "kernel_table's result")):
        fields = compare.record(row, KERNEL_FIELDS, f"row {number}", "KernelRow")
        require(isinstance(fields["layer"], str) and isinstance(fields["kernel"], str), f"row {number}: layer and kernel should be text")
        table.append((fields["layer"], fields["kernel"], compare.number(fields["duration_us"], f"duration_us of row {number}")))
    return table


def _same_rows(found: Sequence[tuple[str, str, float]], wanted: Sequence[tuple[str, str, float]]) -> bool:
    if len(found) != len(wanted):
        return False
    pairs = zip(sorted(found), sorted(wanted), strict=True)
    return all(one[:2] == other[:2] and abs(one[2] - other[2]) <= 1e-6 * max(1.0, other[2]) for one, other in pairs)


def _unnamed(found: Sequence[tuple[str, str, float]], wanted: Sequence[tuple[str, str, float]]) -> Mistake:
    """What can be said of a wrong table that fits no known mistake."""
    told = {(layer, kernel): us for layer, kernel, us in found}
    right = {(layer, kernel): us for layer, kernel, us in wanted}
    if len(told) == len(found) and told.keys() == right.keys():
        if any(all(us == round(right[place], digits) for place, us in told.items()) for digits in range(3)):
            return Mistake(None, "the durations are rounded", "Give the sums as they are; round only what you print.")
        help = "The layers and kernels are right. Each row has the sum of duration_us of all its events, in microseconds."
        return Mistake(None, "the durations of kernel_table's rows are wrong", help)
    if found and set(found) < set(wanted) and min(us for *_, us in found) >= max(right[place] for place in right.keys() - told.keys()):
        summary = f"kernel_table leaves rows out: {len(found)} of {len(wanted)} are there, the longest"
        return Mistake(None, summary, "Give them all: how many are shown is up to who prints them.")
    of_layers: dict[str, float] = {}
    for layer, _, us in wanted:
        of_layers[layer] = of_layers.get(layer, 0.0) + us
    by_layer = {layer: us for layer, _, us in found}
    once = len(by_layer) == len(found) < len(wanted) and by_layer.keys() == of_layers.keys()
    if once and all(abs(us - of_layers[layer]) <= 1e-6 * max(1.0, us) for layer, us in by_layer.items()):
        return Mistake(None, BY_LAYER, "One row a layer and kernel: a layer with two kernels has two rows.")
    help = "Split what stands before the colon at '/', and look for the part that is a layer's name, or that name with _ and a number."
    return Mistake(None, "kernel_table's rows are wrong", help)


def _written(rows: Sequence[tuple[Any, Any, float]]) -> str:
    return "; ".join(f"{compare.show(layer, 40)} {compare.show(kernel, 40)} {us:g} us" for layer, kernel, us in rows[:6]) or "no rows"


def _got(value: Any) -> str:
    return f"received: {compare.show(value)}"
