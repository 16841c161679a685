"""What is right and what is wrong between two readings of a scripted clock: loops, warm-ups, waits, figures and sweeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from grader.checks import compare
from grader.checks.compare import Mistake, fail, require
from grader.checks.scripted_clock import UNKNOWN, Call, ScriptedClock, in_batches
from grader.host.submission import Submission

FIELDS: Final = ("count", "batch_size", "total_s", "latency_ms", "images_per_second")

REGION: Final = "The timed region is: start = clock(), then a call and its wait for each batch, then clock() again. Nothing else."
LAZY: Final = "predict may return before its work is done: np.asarray(result) waits for it."
_TEN_TIMES: Final = "The first call with a batch of a size takes about ten times as long as the rest: TensorFlow builds its graph then."
_CALLS: Final = "count is the number of calls, not of images"
_TWICE: Final = "Read it twice: start = clock() before the first call, and clock() - start after the last. A look at it takes time too."
_OTHER_IMAGES: Final = 0.5
"""Part of the points that is left where a warm-up takes other images than it should: it has warmed up all the same."""

_MORE_READINGS: Final = 0.5
"""Part of the points that is left where the clock is read between the calls and the figures follow from it all the same."""


_FURTHER: Final[dict[str, list[int]]] = {"time_online": [], "time_batches": [2]}
"""What the functions that measure take after the images."""


def clock_was_read(bench: ScriptedClock) -> None:
    """Holds that the clock that was passed is the one that is read.

    Args:
        bench: The run.

    Raises:
        CheckFailed: It is not so; the mistake is named where it is known.
    """
    require(
        len(bench.times) >= 2,
        "the clock that was passed is not read: the function measures with a clock of its own",
        "expected: two readings of clock()",
        f"received: {len(bench.times)}",
        help="Call the parameter: start = clock(). A clock that is passed can be another one than time.perf_counter.",
    )


def timed(bench: ScriptedClock, warmup: int) -> list[Call]:
    """The calls that are timed.

    Args:
        bench: The run.
        warmup: Warm-up calls that were asked for.

    Returns:
        The calls between the first and the last reading of the clock.
    """
    # Where the clock is not read, which is another check's matter, the calls after the warm-up are those that would be timed.
    return bench.timed if len(bench.times) >= 2 else bench.calls[warmup:]


def right_loop(bench: ScriptedClock, batch_size: int, warmup: int) -> None:
    """Holds that the timed region takes each image exactly once, in order, in batches of the size asked for.

    Args:
        bench: The run.
        batch_size: Images a call that were asked for; 1 for online inference.
        warmup: Warm-up calls that were asked for.

    Raises:
        CheckFailed: It is not so; the mistake is named where it is known.
    """
    count = len(bench.images)
    wanted = in_batches(count, batch_size)
    found = [call.images for call in timed(bench, warmup)]
    if found == wanted:
        return
    sides = (
        f"expected inside the timed region: {len(wanted)} calls of {_sizes(wanted)} images, {_flat(wanted)}",
        f"received: {len(found)} calls" + (f" of {_sizes(found)} images, {_flat(found)}" if found else ""),
    )
    if not found:
        outside = len(bench.calls) >= len(wanted) + warmup
        fail(
            "all calls of predict lie outside the timed region"
            if outside
            else "the timed region holds no call of predict: an empty loop, or the iterator alone, is timed",
            *sides,
            f"calls of predict outside it: {len(bench.calls)}",
            help=REGION,
        )
    flat = [image for batch in found for image in batch]
    if len(found) == len(wanted) + warmup and found[warmup:] == wanted and warmup:
        fail("the warm-up lies inside the timed region", *sides, help="Read the clock for the first time after the warm-up calls.")
    if batch_size == 1 and any(len(batch) != 1 for batch in found):
        fail("online inference takes one image a call", *sides, help="A batch of one image is images[i : i + 1].")
    if len(found) == 1 < len(wanted) and len(flat) == count:
        fail("all images go through the model in one call: the batch size asked for is not used", *sides)
    if batch_size > 1 and all(len(batch) == 1 for batch in found):
        fail("one image a call, although batches were asked for", *sides, help="Slice: images[first : first + batch_size].")
    if found[:-1] == wanted[:-1] and len(found) == len(wanted) and len(found[-1]) == batch_size > len(wanted[-1]):
        fail("the last batch is padded to the full batch size", *sides, help="The last call takes the images that are left, no others.")
    if found == wanted[:-1] and len(wanted[-1]) < batch_size:
        fail("the last, smaller batch is dropped: its images are not timed", *sides, help="range(0, len(images), batch_size) reaches all.")
    if UNKNOWN in flat:
        fail("predict is given an image that is none of those passed", *sides, help="Take slices of images as they are.")
    missing = sorted(set(range(count)) - set(flat))
    repeated = sorted({image for image in flat if flat.count(image) > 1})
    if not missing and not repeated and flat != sorted(flat):
        fail(
            "the images are not in order: shuffled, each setting would time other images", *sides, help="Go through images from the first."
        )
    if repeated and not missing:
        fail(f"images go through the model more than once inside the timed region: {_some(repeated)}", *sides, help=REGION)
    if missing:
        again = f", and others go through the model again: {_some(repeated)}" if repeated else ""
        fail(f"images are left out of the timed region: {_some(missing)}{again}", *sides, help=REGION)
    fail("the batches have the wrong sizes", *sides, help="Slice: images[first : first + batch_size].")


def right_warmup(bench: ScriptedClock, batch_size: int, warmup: int) -> None:
    """Holds that the warm-up lies before the clock starts, with as many calls as asked for, of full batches.

    Args:
        bench: The run.
        batch_size: Images a call that were asked for; 1 for online inference.
        warmup: Warm-up calls that were asked for.

    Raises:
        CheckFailed: It is not so; the mistake is named where it is known.
    """
    clock_was_read(bench)
    full = min(batch_size, len(bench.images))
    calls = len(in_batches(len(bench.images), batch_size))
    found = bench.warmup
    sides = (f"expected: warmup = {warmup} calls of {full} images before the first reading of the clock", f"received: {len(found)} calls")
    if len(found) != warmup:
        if len(bench.timed) == calls + warmup - len(found) and len(found) < warmup:
            fail("the warm-up lies inside the timed region", *sides, help="Read the clock for the first time after the warm-up calls.")
        if not found:
            fail("there is no warm-up before the clock starts", *sides, help=_TEN_TIMES)
        if not warmup:
            fail("warmup = 0 asks for no warm-up call", *sides)
        fail(
            f"the number of warm-up calls is {len(found)}, not the {warmup} asked for", *sides, help="Make warmup calls, no more, no fewer."
        )
    wrong = [len(call.images) for call in found if len(call.images) != full]
    if wrong:
        fail(f"a warm-up call takes {wrong[0]} images, not a full batch of the size that is timed", *sides, help=_TEN_TIMES)


def right_warmup_images(warmups: Sequence[tuple[Sequence[Call], int]], batch_size: int, name: str = "") -> None:
    """Holds that warm-up calls take the images in order, as the handout says.

    What comes when the images run out can be read in more than one way, so the last of them, and what is after it, is left open. So is
    whether batches come one after the other or one of them again and again.

    Args:
        warmups: Of each measurement the warm-up calls and how many images it has.
        batch_size: Images a call that were asked for; 1 for online inference.
        name: The function, where the check is about more than one.

    Raises:
        CheckFailed: It is not so; half of the points are left. It comes last, so that it hides no other mistake.
    """
    of = f"{name}: " if name else ""
    for calls, count in warmups:
        full = min(batch_size, count)
        wanted = [batch for batch in in_batches(count, batch_size) if len(batch) == full]
        found = [call.images for call in calls]
        held = len(wanted) - 1 if batch_size == 1 else 1
        sides = (
            f"expected: {_flat(wanted[: len(found)])}" + (", from the first again when they run out" if len(found) > len(wanted) else ""),
            f"received: {_flat(found)}",
        )
        if UNKNOWN in sum(found, ()):
            advice = "Take slices of images as they are."
            fail(f"{of}a warm-up call takes an image that is none of those passed", *sides, help=advice, earned=_OTHER_IMAGES)
        if found[:held] == wanted[: min(held, len(found))]:
            continue
        if len(found) > 1 and len(set(found)) == 1:
            what = "every warm-up call takes the same image" if full == 1 else "every warm-up call takes the same images"
        else:
            what = "the warm-up calls do not take the images in order from the first"
        advice = "Warm-up call i takes images[i : i + 1], and begins with image 0 again when they run out: i % len(images)."
        fail(f"{of}{what}", *sides, help=advice if full == 1 else "The first warm-up call takes images[:batch_size].", earned=_OTHER_IMAGES)


def images_were_passed_on(benches: Sequence[ScriptedClock]) -> None:
    """Holds that predict was given the images as they are.

    Args:
        benches: What was observed.

    Raises:
        CheckFailed: It was given another dtype; half of the points are left.
    """
    for bench in benches:
        if bench.other_dtype:
            fail(
                f"predict is given a {bench.other_dtype} array, not the float32 one that the images are",
                help="Pass the images as they are: a conversion is timed too, and another dtype builds another graph.",
                earned=0.5,
            )


def clock_was_read_twice(benches: Sequence[ScriptedClock]) -> None:
    """Holds that the clock is read twice, not between the calls as well.

    Args:
        benches: Runs whose figures follow from the first reading and the last.

    Raises:
        CheckFailed: It is not so; half of the points are left. It comes last, so that it hides no other mistake.
    """
    for bench in benches:
        if len(bench.times) > 2:
            earlier = len(bench.times) == bench.begin + 2
            fail(
                "the clock is read before the warm-up too"
                if earlier
                else "the clock is read between the calls too, which is timed with them",
                "expected: two readings of clock()",
                f"received: {len(bench.times)}, for {len(bench.timed)} calls",
                help="The warm-up is not timed: read the clock when it is over, and once more after the last call." if earlier else _TWICE,
                earned=_MORE_READINGS,
            )


def warmup_was_waited_for(bench: ScriptedClock) -> None:
    """Holds that no work of the warm-up is left over when the clock starts.

    Args:
        bench: The run.

    Raises:
        CheckFailed: It is not so; the mistake is named where it is known.
    """
    unfinished = bench.unfinished(bench.begin)
    pending = [call for call in bench.warmup if call.number in unfinished]
    require(
        not pending,
        "the clock starts before the warm-up is done: the results of warm-up calls are not waited for",
        f"warm-up calls: {len(bench.warmup)}, not waited for when the clock started: {len(pending)}",
        help=LAZY,
    )


def each_was_waited_for(bench: ScriptedClock) -> None:
    """Holds that each timed call is done before the next one is made.

    Args:
        bench: The run.

    Raises:
        CheckFailed: It is not so.
    """
    overtaken = [call for call in bench.timed[:-1] if call.number in bench.overtaken]
    if overtaken:
        fail(
            "a result is not waited for before the next call: its work is not in the time of its call",
            f"timed calls: {len(bench.timed)}, followed by the next one before their result was waited for: {len(overtaken)}",
            f"the first of them: timed call {bench.timed.index(overtaken[0])}",
            help=LAZY,
        )


def work_was_waited_for(bench: ScriptedClock) -> None:
    """Holds that no timed work is left over when the clock is read for the last time.

    Args:
        bench: The run.

    Raises:
        CheckFailed: It is not so; the mistake is named where it is known.
    """
    unfinished = bench.unfinished(-1)
    pending = [call for call in bench.timed if call.number in unfinished]
    require(
        not pending,
        "the clock is read before the work is done: results are not waited for inside the timed region",
        f"timed calls: {len(bench.timed)}, not waited for at the last reading: {len(pending)}",
        help=LAZY,
    )


def nothing_was_printed(benches: Sequence[ScriptedClock]) -> None:
    """Holds that a function prints nothing while it measures.

    Args:
        benches: Several runs: a library's warning, which comes once, is no mistake of the function's.

    Raises:
        CheckFailed: Something was printed between the first and the last reading of the clock of each run.
    """
    grown = [bench.printed[-1] - bench.printed[bench.begin] for bench in benches if len(bench.printed) >= 2]
    if len(grown) >= 2 and all(grown):
        fail(
            "something is printed inside the timed region: that is measured with it",
            f"bytes printed between the readings of the clock: {', '.join(map(str, grown))}",
            help=REGION,
        )


def right_figures(timing: Any, bench: ScriptedClock, batch_size: int) -> None:
    """Holds that a measurement's figures follow from the clock and from each other.

    Args:
        timing: What the student's function gave.
        bench: The run.
        batch_size: Images a call that were asked for; 1 for online inference.

    Raises:
        CheckFailed: It is not so; the mistake is named where it is known.
    """
    found = compare.record(timing, FIELDS, "the measurement", "Timing")
    clock_was_read(bench)
    if len(bench.times) > 2:
        within = f"total_s is not the time between two readings of the clock, which is read {len(bench.times)} times"
        compare.close(found["total_s"], bench.total_s, "total_s", mistakes=[Mistake(found["total_s"], within, _TWICE)])
    _follow(found, len(bench.images), batch_size, bench.total_s)


def _follow(found: Mapping[str, Any], count: int, batch_size: int, total_s: float, of: str = "", between: int = 0) -> None:
    """Holds that all figures follow from the images, the batch size and the time between the readings; `between` are further readings."""
    calls = len(in_batches(count, batch_size))
    rounded_up = calls * batch_size
    padded = "images are counted as batches x batch_size, although the last batch has fewer"
    given = compare.integer(found["count"], f"count{of}")
    compare.equal(given, count, f"count{of}", mistakes=[Mistake(rounded_up, padded), Mistake(calls, _CALLS)])
    told = compare.integer(found["batch_size"], f"batch_size{of}")
    # Whether a batch larger than all images is told as it was asked for or as it was is left open.
    compare.equal(told, count if told == count < batch_size else batch_size, f"batch_size{of}")
    wrong_totals = [Mistake(1000 * total_s, "total_s is in milliseconds")]
    if between:
        within = f"the clock is read between the calls too, {between} times, and total_s{of} does not follow from the two that count"
        wrong_totals.append(Mistake(found["total_s"], within, _TWICE))
    compare.close(found["total_s"], total_s, f"total_s{of}", help=REGION, mistakes=wrong_totals)
    compare.close(
        found["latency_ms"],
        1000 * total_s / calls,
        f"latency_ms{of}",
        help="Latency is the time of one call: 1000 * total_s / calls.",
        mistakes=[
            Mistake(total_s / calls, "latency_ms is in seconds"),
            Mistake(1000 * total_s / count, "latency_ms is that of an image, not of a call"),
            Mistake(
                1000 * total_s * batch_size / count, "latency_ms divides by count / batch_size, although the last batch has fewer images"
            ),
            Mistake(1000 * total_s, "latency_ms is the total, not that of one call"),
        ],
    )
    compare.close(
        found["images_per_second"],
        count / total_s,
        f"images_per_second{of}",
        help="Throughput stands beside its own total: count / total_s.",
        mistakes=[
            Mistake(rounded_up / total_s, padded),
            Mistake(calls / total_s, "images_per_second counts calls: 1 / latency is not the throughput of batches"),
            Mistake(count / total_s / 1000, "images_per_second is in images a millisecond"),
            Mistake(total_s / count, "images_per_second is upside down: seconds an image"),
            Mistake(
                found["images_per_second"], "images_per_second does not follow from the total it stands beside: it is not count / total_s"
            ),
        ],
    )


def steady_clock(submission: Submission, function: str) -> None:
    """Holds that a function's own clock can only go forwards, and counts seconds that pass.

    Args:
        submission: The submission.
        function: A function of its module `timing`.

    Raises:
        CheckFailed: It is not so; the mistake is named where it is known.
    """
    name = submission.tools.default_clock("timing", function)
    sides = ("expected: time.perf_counter", f"received: {compare.show(name)}")
    if name in ("time.time", "time.time_ns") or str(name).startswith("datetime."):
        fail(f"{function} measures with a clock that can run backwards", *sides, help="The time of day is set now and then.")
    if name in ("time.process_time", "time.thread_time", "time.process_time_ns", "time.thread_time_ns"):
        fail(f"{function} measures with a clock that stands still while the program waits", *sides)
    if str(name).endswith("_ns"):
        fail(f"{function} measures with a clock in nanoseconds", *sides, help="clock() gives seconds.")
    further = _FURTHER.get(function)  # the sweeps measure with these two
    if further is not None and submission.tools.stands_still_with_the_day("timing", function, further):
        fail(
            f"{function} measures with a clock that can run backwards",
            "expected: time.perf_counter",
            "received: a function that reads the time of day",
            help="The time of day is set now and then.",
        )


def right_sweep(name: str, timings: Any, bench: ScriptedClock, settings: list[tuple[int, int]], warmup: int) -> list[list[Call]]:
    """Holds that a sweep made one whole measurement for each setting.

    Args:
        name: The student's function.
        timings: What it gave.
        bench: The run.
        settings: Number of images and batch size of each measurement, in order.
        warmup: Warm-up calls of each.

    Returns:
        The warm-up calls of each measurement.

    Raises:
        CheckFailed: It is not so; the mistake is named where it is known.
    """
    rows = compare.sequence(timings, f"{name}'s result")
    _one_each(name, len(rows), settings)
    plans = [in_batches(count, batch_size) for count, batch_size in settings]
    needed = sum(len(plan) + warmup for plan in plans)
    asked = f"settings (images, batch size): {settings}, warmup = {warmup}"
    calls = list(bench.calls)
    totals: list[float] = []
    between: list[int] = []
    warmups: list[list[Call]] = []
    if warmup and len(bench.calls) == needed - warmup * (len(plans) - 1):
        fail(f"{name} warms up only before the first measurement", asked, help=f"Each measurement has a warm-up of its own. {_TEN_TIMES}")
    others, left = divmod(len(bench.calls) - sum(map(len, plans)), len(plans))
    if 0 <= others != warmup and not left and [call.images for call in calls[others : others + len(plans[0])]] == plans[0]:
        fail(
            f"{name} makes {others} warm-up calls for each measurement, not the {warmup} asked for",
            asked,
            help="Hand warmup on to each measurement; its default is 3.",
        )
    for number, plan in enumerate(plans):
        where = f"{name}, measurement {number + 1} of {len(plans)} ({settings[number][0]} images, batch size {settings[number][1]})"
        before, measured, calls = calls[:warmup], calls[warmup : warmup + len(plan)], calls[warmup + len(plan) :]
        found = [call.images for call in measured]
        sides = (
            asked,
            f"expected: {len(plan)} calls of {_sizes(plan)} images, {_flat(plan)}",
            f"received: {_sizes(found)}, {_flat(found)}",
        )
        if found != plan:
            if [len(batch) for batch in found] == [len(batch) for batch in plan] and UNKNOWN not in sum(found, ()):
                other = "each setting times other images: only the first images, in order, make the settings comparable"
                fail(f"{where}: {other}", *sides, help="Do not shuffle, and start at the first image each time.")
            if len({size for _, size in settings}) > 1 and {call.images for call in bench.calls} <= set(plans[0]):
                fail(f"{where}: the batch size never changes", *sides, help="Pass each batch size on to time_batches.")
            advice = "One measurement a setting, in the order given, each of all its images and with the warm-up calls that were asked for."
            fail(f"{where}: the calls are not those of this setting", *sides, help=advice)
        if any(len(call.images) != len(plan[0]) for call in before):
            fail(f"{where}: a warm-up call has another batch size than what is timed", asked, help=_TEN_TIMES)
        start, end = measured[0].readings, measured[-1].readings
        if not 0 < start <= end < len(bench.times) or any(call.readings == start for call in before):
            fail(f"{where}: the clock is not read just before the first call and after the last", asked, help=REGION)
        totals.append(bench.times[end] - bench.times[start - 1])
        between.append(end - start)
        warmups.append(before)
        unfinished = bench.unfinished(start - 1)
        late = [call for call in before if call.number in unfinished]
        require(not late, f"{where}: the clock starts before the warm-up is done", asked, help=LAZY)
        unfinished = bench.overtaken | bench.unfinished(end)
        late = [call for call in measured if call.number in unfinished]
        require(not late, f"{where}: results are not waited for inside the timed region", asked, help=LAZY)
    require(not calls, f"{name} makes more calls than its measurements need", asked, f"calls too many: {len(calls)}")
    for number, (row, (count, batch_size)) in enumerate(zip(rows, settings, strict=True)):
        what = f"{name}'s item {number}"
        _follow(compare.record(row, FIELDS, what, "Timing"), count, batch_size, totals[number], f" of {what}", between[number])
    return warmups


def _one_each(name: str, found: int, settings: list[tuple[int, int]]) -> None:
    """Holds that there is an item for each setting."""
    sides = (f"settings (images, batch size): {settings}", f"expected: {len(settings)} items", f"received: {found} items")
    if found == len(settings):
        return
    if found == len(set(settings)):
        advice = "One measurement an item of the list, in its order. A dict or a set keeps only one of those that are equal."
        fail(f"{name} measures a setting that comes twice only once", *sides, help=advice)
    if found == sum(size <= count for count, size in settings):
        advice = "Measure it like the others: its one call takes all images."
        fail(f"{name} leaves out a batch size that is larger than the number of images", *sides, help=advice)
    fail(f"{name}'s result has the wrong length", *sides, help="One measurement a setting, in the order given.")


def _sizes(batches: Sequence[Sequence[int]]) -> str:
    sizes = [len(batch) for batch in batches]
    return ", ".join(str(size) for size in dict.fromkeys(sizes)) or "no"


def _flat(batches: Sequence[Sequence[int]]) -> str:
    places = ["?" if image == UNKNOWN else str(image) for batch in batches for image in batch]
    return f"images {', '.join(places[:14])}{', ...' if len(places) > 14 else ''}" if places else "no images"


def _some(places: Sequence[int]) -> str:
    return ", ".join(str(place) for place in places[:6]) + (", ..." if len(places) > 6 else "")
