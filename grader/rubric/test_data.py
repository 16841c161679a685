"""Section 1, data: from a folder of JPEG files to batches that a network can learn from."""

from __future__ import annotations

import math
import sys
import zlib
from collections import Counter
from typing import Any

import numpy as np
from hypothesis import strategies as st

from grader.artifacts import Training
from grader.checks.check import check, examples
from grader.checks.compare import Mistake, array, close, equal, fail, integer, record, refused, sequence
from grader.checks.findings import finding, supported
from grader.outcomes import CheckFailed
from grader.rubric.decoding import same_pattern, same_pixels, same_scale, works_in_a_pipeline
from grader.rubric.listing import refuses_other_splits, same_again, same_examples
from grader.rubric.pipeline import (
    Roll,
    draw_roll,
    grows_with_the_list,
    in_order,
    is_dataset,
    reaches_everywhere,
    read,
    shuffled_anew,
    steady,
)
from grader.rubric.tiny_set import draw_picture, draw_set, rows, wnid_lists, write_ids

LONG = [f"n{13 * n % 211 + 1_000_000:08d}" for n in range(211)]
"""Ids of more classes than Tiny ImageNet has."""

LABELS = st.lists(st.integers(0, 6), max_size=30)


@check(points=2)
@examples(count=25, always=[{"wnids": LONG}], wnids=wnid_lists())
def test_label_map(submission, suspects, wnids):
    """A class's label is its line number in wnids.txt."""
    # A folder of its own for each list: who remembers what was read does nothing wrong.
    root = submission.given / f"tiny-{zlib.crc32(' '.join(wnids).encode()):08x}"
    words = write_ids(root, wnids)
    found = submission.data.load_label_map(submission.tools.path(root))
    numbered = {wnid: label for label, wnid in enumerate(wnids)}
    advice = "The first id in wnids.txt gets 0, the second 1, and so on, in the file's own order."
    mistakes = [
        Mistake({wnid: label for label, wnid in enumerate(sorted(wnids))}, "The class ids were sorted before they were numbered"),
        Mistake({wnid: label + 1 for wnid, label in numbered.items()}, "Labels start at 1", "The first line has number 0."),
        Mistake({label: wnid for wnid, label in numbered.items()}, "The map goes the wrong way, from label to id"),
        Mistake(words, "The map was made from words.txt", "words.txt names many more ids than the classes; count wnids.txt."),
        Mistake({wnid: words[wnid] for wnid in wnids}, "Labels are line numbers of words.txt", "Count the lines of wnids.txt."),
    ]
    if isinstance(found, dict) and set(found) != set(numbered) and {str(key).strip() for key in found} == set(numbered):
        fail(
            "The keys of the label map keep the line end, or other space around the id",
            f"expected: {min(numbered)!r}",
            f"received: {min(map(str, found))!r}",
            help="Take each line without what is around the id: line.strip().",
        )
    equal(found, numbered, "The label map", help=advice, mistakes=suspects.left(found, mistakes))
    if len(wnids) < 2:
        return
    # Another folder after this one: who keeps the first map for all folders is told so.
    other = submission.given / f"{root.name}-other"
    write_ids(other, wnids[::-1], end="")
    turned = {wnid: label for label, wnid in enumerate(reversed(wnids))}
    equal(
        submission.data.load_label_map(submission.tools.path(other)),
        turned,
        "The label map of a second folder",
        help=advice,
        mistakes=[
            Mistake(numbered, "The first folder's label map is kept for every other folder", "Read the file of the root that is given."),
            Mistake(
                dict(list(turned.items())[:-1]),
                "The last class is left out where the file does not end with a line end",
                "for line in file gives every line, and so does text.splitlines(): no part has to be cut off.",
            ),
        ],
    )
    if wnids == LONG:
        return  # what follows costs a part of the points only: what is wrong with shorter lists comes before
    refused(
        lambda: submission.data.load_label_map(submission.tools.path(submission.given / "nothing")),
        "FileNotFoundError",
        "load_label_map for a folder without wnids.txt",
        takes="load_label_map takes a folder without wnids.txt",
        other="",  # TensorFlow's own files raise an error of another name
        help="Let the error through that opening the file raises: an empty map would go wrong much later.",
    )


@check(points=2)
def test_train_examples(submission, rng):
    """Every training image once, with the class of the folder it lies in."""
    tiny = draw_set(rng, submission.given / "tiny")
    found = submission.data.list_examples(submission.tools.path(tiny.root), "train")
    same_examples(submission, tiny, "train", found)
    same_again(submission, tiny, "train", found)
    refuses_other_splits(submission, tiny)


@check(points=3)
def test_val_examples(submission, rng):
    """Every validation image once, with the class that val_annotations.txt gives it."""
    tiny = draw_set(rng, submission.given / "tiny")
    found = submission.data.list_examples(submission.tools.path(tiny.root), "val")
    same_examples(submission, tiny, "val", found)


@check(points=2)
def test_decode_colour(submission, rng):
    """A colour image decodes to float32, each pixel value divided by 255."""
    # The last has no pixel near 255: who divides by an image's own largest value shows.
    for picture in [draw_picture(rng), draw_picture(rng), draw_picture(rng, brightest=170)]:
        same_pixels(submission.data.decode_image(picture.jpeg), picture.pixels)
    works_in_a_pipeline(submission, picture)


@check(points=1)
def test_decode_greyscale(submission, rng):
    """A greyscale image decodes to three equal channels."""
    picture = draw_picture(rng, grey=True)
    advice = "The file has one channel. Ask the decoder for three: channels=3."
    try:
        found = submission.data.decode_image(picture.jpeg)
    except CheckFailed as error:
        raise error.retold("On a greyscale file, ", help=advice) from None
    same_pattern(found, picture.pixels, help=advice)
    same_scale(submission, found, picture.pixels, rng)


@check(points=2)
@examples(
    count=40,
    always=[{"labels": [0, 0, 1, 0, 0, 0, 1], "per_class": 3, "files": 1}],  # examples that come more than once
    labels=LABELS,
    per_class=st.integers(1, 5),
    files=st.sampled_from([30, 2, 1]),
)
def test_balanced_subset(submission, suspects, labels, per_class, files):
    """The first few examples of each class, in the order given."""
    # With few files, examples come more than once.
    given = rows([f"train/{index % files}.JPEG" for index in range(len(labels))], labels)
    found = submission.data.balanced_subset(submission.records("data", "Example", given), per_class)
    kept = sequence(found, "balanced_subset's result", help="Make a list of the examples kept.")
    items = [record(item, ("path", "label"), "An item of the subset", "Example") for item in kept]
    first = [row for index, row in enumerate(given) if labels[:index].count(row["label"]) < per_class]
    last = [row for index, row in enumerate(given) if labels[index + 1 :].count(row["label"]) < per_class]
    more = [row for index, row in enumerate(given) if labels[:index].count(row["label"]) <= per_class]
    once = [row for index, row in enumerate(given) if row not in given[:index]]
    distinct = [row for index, row in enumerate(once) if [other["label"] for other in once[:index]].count(row["label"]) < per_class]
    mistakes = [
        Mistake(more, "One example too many of each class was kept", "Compare with < before counting, not with <=."),
        Mistake(given, "Nothing was left out", "Stop keeping a class once per_class of its examples are in."),
        Mistake(
            given[: len(items)],
            "The subset is a slice of the list, not a part of each class",
            "The training list goes class by class: its first part lacks whole classes. Count each class by itself.",
        ),
        Mistake(sorted(first, key=lambda row: row["label"]), "The subset was put in class order", "Keep the order that was given."),
        Mistake(last, "The last examples of each class were kept, not the first"),
        Mistake(
            distinct,
            "An example that equals an earlier one was left out",
            "Any list may be given, and one that comes twice in it counts twice: count by class only, and compare no examples.",
        ),
    ]
    equal(
        items,
        first,
        "The subset",
        help=f"Count how many of each class were kept so far; keep an example while that is below per_class={per_class}.",
        mistakes=suspects.left(items, mistakes) if items else (),
    )


@check(points=2)
def test_pipeline_in_order(submission, rng):
    """Unshuffled: every example once and in order, the smaller last batch too."""
    batch_size = int(rng.integers(5, 10))
    roll = draw_roll(rng, submission.given, count=batch_size * 5 + int(rng.integers(1, batch_size)))
    dataset = submission.data.make_dataset(roll.examples(submission), batch_size, shuffle=False, seed=batch_size)
    in_order(submission, dataset, roll, batch_size)


@check(points=2)
def test_pipeline_shuffled(submission, rng):
    """Shuffled: over the whole list, the same for the same seed, another order at each pass."""
    # In class order, as the training list is, and longer than the buffer of 1000 that is often seen.
    roll = draw_roll(rng, submission.given, count=1800 + int(rng.integers(1, 59)), by_label=True)
    examples_, batch_size, seed = roll.examples(submission), 60, int(rng.integers(1, 1000))

    def start(**seed: int) -> list[int]:
        dataset = submission.data.make_dataset(examples_, batch_size, shuffle=True, **seed)
        return read(submission, dataset, roll, 2)

    dataset = submission.data.make_dataset(examples_, batch_size, shuffle=True, seed=seed)
    batches = _whole_pass(submission, dataset, roll, batch_size, examples_)
    reaches_everywhere(batches)
    first = [label for batch in batches for label in batch]
    steady(submission, dataset)
    second = read(submission, dataset, roll, 2)
    begin = first[: len(second)]
    if start(seed=seed) != begin:
        fail(
            "The same seed gives another order",
            help="Hand `seed` to the shuffle. A run that cannot be repeated cannot be compared with another.",
        )
    if start(seed=0) != start():
        fail(
            "Without a seed, and with seed=0, the order is another one each time",
            "expected: seed=0 is the default, and a seed like others",
            help="`seed or None` takes 0 for no seed: hand `seed` on as it is.",
        )
    if start(seed=seed + 1) == begin:
        fail("Another seed gives the same order", help="Hand `seed` to the shuffle: it has no effect now.")
    shuffled_anew(first, second)
    grows_with_the_list(submission, dataset, examples_, batch_size, len(roll.labels))


def _whole_pass(submission: Any, dataset: Any, roll: Roll, batch_size: int, given: Any) -> list[list[int]]:
    is_dataset(dataset)
    full = -(-len(roll.labels) // batch_size)
    parts = sequence(submission.tools.labels(dataset, full + 2), "The batches")
    batches = [[integer(label, "A label") for label in sequence(part, "A batch's labels")] for part in parts]
    labels = [label for batch in batches for label in batch]
    if len(parts) > full:
        fail(
            "A pass over the shuffled dataset does not end", f"expected: {full} batches", f"received: more than {full}", help="No repeat()."
        )
    twice = sum(count > 1 for count in Counter(labels).values())
    missing = len(set(roll.labels) - set(labels))
    last = len(roll.labels) % batch_size
    dropped, filled = not twice and missing == last and len(parts) == full - 1, len(labels) == full * batch_size and not missing
    if dropped or filled:
        in_order = submission.tools.labels(submission.data.make_dataset(given, batch_size, shuffle=False), full + 2)
        if [len(part) for part in in_order] == [len(batch) for batch in batches]:
            return batches  # so in every pass: that is the other check's matter
    if dropped:
        fail(
            f"The last, smaller batch of a shuffled pass is dropped: {missing} examples are left out",
            f"expected: {full} batches",
            f"received: {len(parts)}",
            help="Leave out drop_remainder=True: each pass gives every example once.",
        )
    if twice or missing:
        fail(
            "A shuffled pass does not give every example once",
            f"examples: {len(roll.labels)}",
            f"missing: {missing}",
            f"given more than once: {twice}",
            help="Shuffling changes the order only.",
        )
    return batches


@check(points=1)
@examples(
    count=20,
    dtype=st.sampled_from(["uint8", "int16", "float16", "float32", "float64"]),
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=3),
)
def test_image_facts(submission, suspects, dtype, shape):
    """An image's element type, shape and size in bytes."""
    image = np.zeros(shape, dtype)
    facts = record(submission.data.image_facts(image), ("dtype", "shape", "bytes"), "image_facts' result", "ImageFacts")
    equal(facts["dtype"], dtype, "dtype", help='The name of the element type as text, such as "uint8".')
    equal(facts["shape"], tuple(shape), "shape")
    count = integer(facts["bytes"], "bytes")
    mistakes = [
        Mistake(image.size, "bytes is the number of elements", "A float32 element takes 4 bytes, a uint8 one 1."),
        Mistake(image.size * 4, "bytes counts 4 bytes an element whatever the dtype", "Take the element's own size: image.itemsize."),
        Mistake(image.size * 8, "bytes counts 8 bytes an element whatever the dtype", "Take the element's own size: image.itemsize."),
        Mistake(image.itemsize, "bytes is the size of one element", "Times the number of elements."),
        Mistake(sys.getsizeof(image), "bytes is the size of the Python object", "Count the elements only: no header."),
    ]
    advice = "Elements times the bytes of one: 1 for uint8, 4 for float32."
    equal(count, image.nbytes, "bytes", help=advice, mistakes=suspects.left(count, mistakes))


@check(points=1)
@examples(count=25, always=[{"labels": [1] * 500 + [0], "more": 0}], labels=LABELS, more=st.integers(0, 3))
def test_class_counts(submission, suspects, labels, more):
    """The number of examples of each class, 0 for a class without any."""
    classes = max(labels, default=0) + 1 + more
    given = rows([f"{index // 2}.JPEG" for index in range(len(labels))], labels)  # a list may hold a file twice
    found = submission.data.class_counts(submission.records("data", "Example", given), classes)
    counts = np.bincount(np.array(labels, np.int64), minlength=classes)
    mistakes = [
        Mistake(np.bincount(np.array(labels, np.int64)), "Classes after the last one that occurs are missing", "Give minlength."),
        Mistake(counts[counts > 0], "Classes without an example are missing", "They count 0."),
        Mistake(counts / max(1, len(labels)), "These are fractions, not counts"),
        *(
            Mistake(np.bincount(np.array(once, np.int64), minlength=classes), "Examples with the same path count once", "Count each one.")
            for once in (labels[::2], [label for label, _ in {(label, index // 2) for index, label in enumerate(labels)}])
        ),
        Mistake(counts % 256, "Counts begin anew after 255: they are kept in uint8", "Make the array int64."),
    ]
    advice = f"Element i counts label i; there is one for each of the {classes} classes."
    array(found, counts, "class_counts' result", help=advice, mistakes=suspects.left(found, mistakes))


@check(points=1)
@examples(count=40, total=st.integers(1, 12_000), share=st.floats(0, 1), z=st.sampled_from([None, 1.0, 1.645, 2.576]))
def test_wilson(submission, suspects, total, share, z):
    """The Wilson interval of an accuracy."""
    correct = round(share * total)
    found = submission.data.wilson_interval(correct, total, **({} if z is None else {"z": z}))
    low, high = sequence(found, "wilson_interval's result", length=2)
    ends, normal = wilson(correct, total, z or 1.96), normal_interval(correct, total, z or 1.96)
    for value, which, name in ((low, 0, "low end"), (high, 1, "high end")):
        mistakes = [
            Mistake(normal[which], "This is the normal approximation, not Wilson's interval", "At 0 or total correct its width is 0."),
            Mistake(min(1.0, max(0.0, normal[which])), "This is the normal approximation, not Wilson's interval"),
            Mistake(ends[1 - which], "The two ends are swapped", "Return (low, high)."),
            Mistake(wilson(correct, total, 1.96)[which], "z has no effect", "Use the parameter, not 1.96."),
            Mistake(ends[which] * 100, "The interval is in percent", "Give fractions of 1."),
            *(
                Mistake(
                    round(ends[which], digits),
                    f"The {name} is rounded to {digits} digits",
                    "Return it as it is, and round where you print.",
                )
                for digits in range(2, 7)
            ),
        ]
        left = suspects.left(value, mistakes, of=name)
        close(value, ends[which], f"The {name} for {correct} of {total}", help="Compare with the formula term by term.", mistakes=left)


@check(points=1)
def test_data_findings(folder, results):
    """The accuracy's 95 % interval follows from the trained model's count."""
    interval = finding(folder, "data", "accuracy_interval", list, length=2)
    main = results.read(Training).main
    low, high = wilson(main.val_correct, main.val_total)
    counted = f"{main.val_correct} of {main.val_total}"
    supported(
        interval,
        [low, high],
        "results/training.json",
        absolute=0.001,
        help=f"Call your wilson_interval on val_correct and val_total under `main`: {counted}.",
        mistakes=[Mistake([high, low], "the two ends are swapped", "Write [low, high].")],
    )


def wilson(correct: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval: the accuracies p for which |correct / total - p| = z sqrt(p (1 - p) / total), solved for p."""
    share, square = correct / total, z * z / total
    root = math.sqrt(square * (4 * share * (1 - share) + square))
    low, high = ((2 * share + square + sign * root) / (2 * (1 + square)) for sign in (-1, 1))
    return low, high


def normal_interval(correct: int, total: int, z: float) -> tuple[float, float]:
    """The normal approximation, which is not what is asked for."""
    share = correct / total
    half = z * math.sqrt(share * (1 - share) / total)
    return share - half, share + half
