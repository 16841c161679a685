"""Draws examples for an input pipeline, and judges what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from grader.checks.compare import Mistake, equal, fail, integer, sequence, show
from grader.host.submission import Handle, Submission
from grader.lab import IMAGE_SHAPE
from grader.outcomes import CheckEnded, CheckFailed
from grader.rubric.decoding import pattern
from grader.rubric.tiny_set import LEVELS, Picture, draw_picture, rows

PICTURES = 6
MOST_LABELS = 10_000
"""Labels of a batch that are looked at; the checks ask for some dozens."""
LONGEST = 100_000
"""Images of Tiny ImageNet's training split."""

FOLLOWING = 0.3
"""Share of examples that follow their neighbour of another order, from which on the order is that one: by chance it is 1 in the length."""

FAR = 0.85
"""A shuffle over the whole list brings an example forward by more than this part of it: of 1800, 20 do on average, and none does with a
chance of exp(-20)."""

MANY = 12_000
"""Examples of a list that is longer than the buffers of 10,000 that are often seen."""


@dataclass(frozen=True, slots=True)
class Roll:
    """Examples with a label each of their own, so that order shows; several share a picture.

    Attributes:
        pictures: The pictures.
        paths: Their files.
        shown: Which picture each example shows.
        labels: The label of each example.
    """

    pictures: tuple[Picture, ...]
    paths: tuple[str, ...]
    shown: tuple[int, ...]
    labels: tuple[int, ...]

    def examples(self, submission: Submission) -> Handle:
        """The examples as the submission's own records."""
        return submission.records("data", "Example", rows([self.paths[index] for index in self.shown], self.labels))


def draw_roll(rng: np.random.Generator, folder: Path, count: int, *, by_label: bool = False) -> Roll:
    """Draws examples and writes their pictures.

    Args:
        rng: Where the chance comes from.
        folder: Where the files go.
        count: How many examples.
        by_label: Whether they come in the order of their labels.

    Returns:
        The examples.
    """
    pictures = tuple(draw_picture(rng) for _ in range(PICTURES))
    paths = tuple(str(folder / f"{name}.JPEG") for name in rng.permutation(PICTURES))
    for picture, path in zip(pictures, paths, strict=True):
        Path(path).write_bytes(picture.jpeg)
    labels = range(count) if by_label else rng.permutation(count).tolist()
    return Roll(pictures, paths, tuple(rng.integers(0, PICTURES, count).tolist()), tuple(labels))


def in_order(submission: Submission, dataset: Any, roll: Roll, batch_size: int) -> None:
    """Judges an unshuffled pass: sizes of batches, order, and what the dataset announces.

    Args:
        submission: The submission.
        dataset: What make_dataset gave.
        roll: The examples it was given.
        batch_size: The batch size it was given.

    Raises:
        CheckFailed: Something is wrong; part of the points is kept where only the announced shape is.
    """
    count = len(roll.labels)
    full, rest = divmod(count, batch_size)
    labels, sizes = _read(submission, dataset, roll, full + 3)
    expected = [batch_size] * full + [rest]
    sides = (f"expected: {count} examples in batches of {_written(expected)}", f"received: {len(labels)} in batches of {_written(sizes)}")
    if len(sizes) > full + 2:
        fail("A pass over the dataset does not end", *sides, help="Leave out repeat(): fit asks for one pass an epoch.")
    if sizes == [batch_size] * full:
        fail(
            f"The last, smaller batch is dropped: {rest} examples are never seen",
            *sides,
            help="Leave out drop_remainder=True: an accuracy over such a pass is over other images than you say.",
        )
    if sizes == [batch_size] * (full + 1):
        fail(
            "The last batch is filled up: some examples come twice",
            *sides,
            help="Keep the last batch smaller. Examples that come twice count twice in the denominator of an accuracy.",
        )
    if sizes != expected:
        fail("The batches have the wrong sizes", *sides, help="Batch after the examples are in order; the last batch takes what is left.")
    equal(
        labels,
        list(roll.labels),
        "The order of the examples",
        help="shuffle=False keeps the order given, also where several images are decoded at a time.",
        mistakes=[Mistake(sorted(labels), "The examples were sorted by label", "Keep the order given.")],
    )
    steady(submission, dataset)
    _announced(submission, dataset)


def steady(submission: Submission, dataset: Handle) -> None:
    """Judges whether the order is decided, or left to which thread is done first.

    Args:
        submission: The submission.
        dataset: What make_dataset gave.

    Raises:
        CheckFailed: A step of it says that it need not keep the order; half of the points are kept, since most passes will.
    """
    steps = submission.tools.unordered_steps(dataset)
    if steps:
        fail(
            "The order of the examples is left to chance: a step of the pipeline has deterministic=False",
            "expected: the same order each time",
            f"received: {', '.join(str(step).removesuffix('V2') for step in sequence(steps, 'The steps'))}",
            help="Leave deterministic=False out: several threads decode all the same, and whoever is done first waits for its turn.",
            earned=0.5,
        )


def grows_with_the_list(submission: Submission, dataset: Handle, examples: Handle, batch_size: int, count: int) -> None:
    """Judges whether a shuffle buffer is as large as the list, or has a largest size, or one for all lists.

    Args:
        submission: The submission.
        dataset: What make_dataset gave for the examples.
        examples: The examples.
        batch_size: The batch size.
        count: How many examples there are.

    Raises:
        CheckFailed: The buffer is smaller than the lab's training list whatever the list is; half of the points are kept.
    """
    buffers = [integer(size, "A buffer") for size in sequence(submission.tools.shuffle_buffers(dataset), "The buffers")]
    if not buffers or not count <= max(buffers) < LONGEST:
        return

    def buffers_for(some: Handle, length: int) -> list[int]:
        other = submission.data.make_dataset(submission.tools.of_length(some, length), batch_size, shuffle=True, seed=1)
        return list(submission.tools.shuffle_buffers(other)) if isinstance(other, Handle) else []

    fixed = max(buffers) > count and buffers_for(examples, 5) == buffers
    most = 0
    # Many examples of a file that is not there: nobody has to read any yet, and who does, or looks for the file, is not asked.
    with suppress(CheckFailed):
        lost = submission.records("data", "Example", rows([str(submission.given / "nothing.JPEG")], [0]))
        most = max(buffers_for(lost, MANY), default=0)
    if fixed or count < most < MANY:
        fail(
            f"The shuffle buffer has {max(buffers)} places for every list: a longer list is not shuffled as a whole"
            if fixed
            else f"The shuffle buffer has at most {most} places: a longer list is not shuffled as a whole",
            f"expected: as many places as the list has examples, up to the {LONGEST} of the whole training set",
            f"received: {max(buffers) if fixed else f'{most} for {MANY} examples'}",
            help="shuffle(len(examples), seed=seed).",
            earned=0.5,
        )


def is_dataset(found: Any) -> None:
    """Judges what kind of thing make_dataset gave.

    Args:
        found: What it gave.

    Raises:
        CheckFailed: It is no `tf.data.Dataset`.
    """
    # TensorFlow's classes of datasets are all named so: _PrefetchDataset, _BatchDataset, ...
    if not isinstance(found, Handle) or "Dataset" not in found.kind:
        fail(
            "make_dataset should return a tf.data.Dataset",
            f"received: {show(found)}",
            help="Return the dataset itself, not a list or an iterator.",
        )


def read(submission: Submission, dataset: Any, roll: Roll, batches: int) -> list[int]:
    """Reads the first batches of a pass.

    Args:
        submission: The submission.
        dataset: What make_dataset gave.
        roll: The examples it was given.
        batches: How many batches to read.

    Returns:
        The labels, in order.

    Raises:
        CheckFailed: An element is not (images, labels), or an image is not the one of its label.
    """
    return _read(submission, dataset, roll, batches)[0]


def reaches_everywhere(batches: Sequence[Sequence[int]]) -> None:
    """Judges whether examples that were given in the order 0, 1, 2, ... were shuffled over the whole list.

    Args:
        batches: The labels of each batch of a pass.

    Raises:
        CheckFailed: They were not.
    """
    order = np.concatenate([np.array(batch) for batch in batches])
    count = len(order)
    if (np.diff(order) == 1).all():
        fail("With shuffle=True the examples still come in the order given", help="Shuffle the paths before they are read.")
    if all((np.diff(np.sort(batch)) == 1).all() for batch in batches):
        fail(
            "Only the order within or of whole batches was shuffled: each batch holds neighbours of the list",
            help="Shuffle before batch(), over the whole list: neighbours are of one class, and a batch should hold many classes.",
        )
    following = float((np.diff(order) == 1).mean())
    if following > FOLLOWING:
        fail(
            "With shuffle=True most examples still follow their neighbour of the list",
            f"expected: hardly an example is followed by the next one of the list, of {count}",
            f"received: {following:.0%} of them",
            help="Shuffle all examples: to begin elsewhere in the list, or to move a few of them, leaves classes together.",
        )
    # A shuffle buffer of b brings an example forward by less than b places.
    reach = int((order - np.arange(count)).max()) + 1
    if reach < FAR * count:
        fail(
            f"The shuffle reaches only about {reach} examples ahead, of {count}",
            "expected: any example of the list may come first",
            f"received: no example came forward by more than {reach - 1} places",
            help="Make the buffer as large as the list. The training list is in class order: a small buffer mixes a few classes only.",
        )


def shuffled_anew(first: Sequence[int], second: Sequence[int]) -> None:
    """Judges whether a second pass has an order of its own.

    Args:
        first: The labels of a whole pass.
        second: The first labels of the next one.

    Raises:
        CheckFailed: It is the order of the first pass, or goes along it from another place.
    """
    places = {label: place for place, label in enumerate(first)}
    along = np.diff([places[label] for label in second if label in places]) == 1  # what every pass leaves out is told elsewhere
    if along.size and float(along.mean()) > FOLLOWING:
        whole = list(first[: len(second)]) == list(second)
        fail(
            f"The second pass over the dataset is in the same order as the first{'' if whole else ', only begun elsewhere'}",
            help="Shuffle anew at each pass: reshuffle_each_iteration=True, or shuffle in the dataset rather than the list before it.",
        )


def _read(submission: Submission, dataset: Any, roll: Roll, limit: int) -> tuple[list[int], list[int]]:
    is_dataset(dataset)
    labels: list[int] = []
    sizes: list[int] = []
    for part in submission.tools.batches(dataset, limit):
        if len(part) != 2:
            fail("An element of the dataset should be (images, labels)", f"received: a tuple of {len(part)} parts")
        images, numbers = part
        if not isinstance(numbers, np.ndarray) or numbers.ndim != 1 or numbers.dtype.kind not in "iu":
            fail("A batch's labels should be (batch,) integers", "expected: shape (batch,), int32", f"received: {show(numbers)}")
        if not 0 < len(numbers) <= MOST_LABELS:
            fail("A batch of the dataset has no sensible size", "expected: batch_size examples", f"received: {len(numbers)}")
        _images(submission, images, [_shown(roll, label) for label in numbers.tolist()], roll)
        labels += [integer(label, "A label") for label in sequence(numbers, "A batch's labels")]
        sizes.append(len(numbers))
    return labels, sizes


def _shown(roll: Roll, label: int) -> int:
    if label not in roll.labels:
        fail("The dataset gives a label that no example has", f"received: {label}", help="Hand the labels on as they are.")
    return roll.shown[roll.labels.index(label)]


def _images(submission: Submission, images: Any, shown: list[int], roll: Roll) -> None:
    wanted = f"expected: shape {(len(shown), *IMAGE_SHAPE)}, float32"
    if not isinstance(images, np.ndarray) or images.shape != (len(shown), *IMAGE_SHAPE):
        fail("A batch's images have the wrong shape", wanted, f"received: {show(images)}")
    right = np.stack([picture.pixels for picture in roll.pictures])[shown] / 255
    if images.dtype == np.float32 and np.abs(images - right).max() <= LEVELS / 255:
        return
    patterns = [pattern(picture.pixels.mean(axis=2)) for picture in roll.pictures]
    for image, number in zip(images, shown, strict=True):
        seen = pattern(image.mean(axis=2, dtype=np.float64))
        if int(np.argmax([(seen * other).sum() for other in patterns])) != number:
            fail(
                "An image does not go with its label",
                f"first: the example with label {roll.labels[roll.shown.index(number)]} shows another file",
                help="Shuffle paths and labels together, and decode the file of each example.",
            )
    # What decode_image does wrong costs points in its own checks; here the pipeline must give what decode_image gives.
    for number in sorted(set(shown)):
        own = _own(submission, roll.pictures[number])
        mine = images[[index for index, other in enumerate(shown) if other == number]]
        if own is None or own.shape != IMAGE_SHAPE or own.dtype != images.dtype or np.abs(mine.astype(np.float64) - own).max() > 1e-3:
            fail(
                "The pipeline's images have other values than decoding gives",
                "expected: float32 in [0, 1], as from decode_image",
                f"received: {images.dtype} from {images.min():.4g} to {images.max():.4g}",
                help="Map your decode_image over the files, and change nothing after it.",
            )


def _own(submission: Submission, picture: Picture) -> np.ndarray | None:
    try:
        own = submission.data.decode_image(picture.jpeg)
    except (CheckFailed, CheckEnded):
        return None
    return own if isinstance(own, np.ndarray) and own.dtype.kind in "iuf" else None


def _announced(submission: Submission, dataset: Handle) -> None:
    parts = submission.tools.element_spec(dataset)
    shape = list(parts[0][0]) if parts else []
    if shape[1:] != list(IMAGE_SHAPE):
        fail(
            "The dataset does not announce the shape of its images",
            f"expected: (batch, {', '.join(map(str, IMAGE_SHAPE))})",
            f"received: {shape}",
            help="TensorFlow cannot know a file's size before it is read: say it, with tf.ensure_shape or set_shape in decode_image.",
            earned=0.75,
        )


def _written(sizes: Sequence[int]) -> str:
    if len(sizes) > 1 and len(set(sizes[:-1])) == 1 and sizes[0] != sizes[-1]:
        return f"{sizes[0]} (x{len(sizes) - 1}) and {sizes[-1]}"
    return f"{sizes[0]} (x{len(sizes)})" if len(set(sizes)) == 1 else str(list(sizes))[:80]
