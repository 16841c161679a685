"""Judges a list of examples: every image of the split once, each with its class."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grader.checks.compare import fail, integer, record, refused, sequence, show
from grader.host.submission import Submission
from grader.outcomes import CheckEnded, CheckFailed
from grader.rubric.tiny_set import TinySet


def same_examples(submission: Submission, tiny: TinySet, split: str, found: Any) -> None:
    """Compares what list_examples gave with what is on disk.

    A label map that is wrong loses its points in its own check; labels that follow from it are taken as right here, as long as it gives
    each class a number of its own.

    Args:
        submission: The submission.
        tiny: The data set.
        split: `train` or `val`.
        found: What was listed.

    Raises:
        CheckFailed: It is something else.
    """
    classes = tiny.train if split == "train" else tiny.val
    labels = _labels(tiny, split, found)
    _same_files(tiny, split, list(labels), len(found), classes)
    right = {path: tiny.label(wnid) for path, wnid in classes.items()}
    if labels == right or _follows_own_map(submission, tiny, classes, labels):
        return
    path = next(path for path in right if labels[path] != right[path])
    wrong = sum(labels[path] != right[path] for path in right)
    sides = (
        f"wrong labels: {wrong} of {len(right)}",
        f"first: {_short(tiny, path)} is of class {classes[path]}, line {right[path]} of wnids.txt; received {labels[path]}",
    )
    for value, summary, help in _mistakes(tiny, split):
        if labels == value:
            fail(summary, *sides, help=help)
    place = "the folder it lies in" if split == "train" else "its line in val/val_annotations.txt"
    fail(f"list_examples gives {split} images the wrong labels", *sides, help=f"An image's class is that of {place}.")


def refuses_other_splits(submission: Submission, tiny: TinySet) -> None:
    """Holds that list_examples raises a ValueError for a split that has no labels.

    Args:
        submission: The submission.
        tiny: The data set.

    Raises:
        CheckFailed: It gives something, or raises something else; most of the points are kept.
    """
    advice = 'A caller who writes "valid" for "val" should learn of it: raise ValueError for every split that is neither "train" nor "val".'
    for split in ("test", "valid", "training"):
        refused(
            lambda split=split: submission.data.list_examples(submission.tools.path(tiny.root), split),  # type: ignore[misc]
            "ValueError",
            f'list_examples(root, "{split}")',
            takes="list_examples takes a split that it does not know",
            other="list_examples meets a split it does not know with another error",
            help=advice,
        )


def same_again(submission: Submission, tiny: TinySet, split: str, found: Any) -> None:
    """Holds that a second call lists the same images: nothing is kept from the first.

    Args:
        submission: The submission.
        tiny: The data set.
        split: `train` or `val`.
        found: What the first call gave.

    Raises:
        CheckFailed: It lists others.
    """
    again = sequence(submission.data.list_examples(submission.tools.path(tiny.root), split), f'list_examples(root, "{split}")')
    if len(again) != len(found):
        fail(
            "A second call of list_examples gives other examples: something is kept from the first call",
            f"first call: {len(found)} examples",
            f"second call: {len(again)} examples",
            help="Make a new list inside the function. A default argument such as examples=[] is made once, for all calls.",
        )


def _labels(tiny: TinySet, split: str, found: Any) -> dict[str, int]:
    labels: dict[str, int] = {}
    items = sequence(found, f'list_examples(root, "{split}")', help="Make a list of Example(path, label).")
    for index, item in enumerate(items):
        example = record(item, ("path", "label"), f"Example {index}", "Example")
        path = example["path"]
        if not isinstance(path, str):
            fail("An example's path should be text", "expected: str", f"received: {show(path)}")
        path = os.path.normpath(path)
        if Path(path).is_relative_to(tiny.root.resolve()):
            path = str(tiny.root / Path(path).relative_to(tiny.root.resolve()))  # a link was followed, as on macOS /tmp is one
        if not Path(path).is_relative_to(tiny.root):
            fail(
                "An example's path does not start with the root that was given",
                "expected: root / ... / <file>.JPEG",
                f"received: {path[-120:]}",
                help="The pipeline opens this path as it is: join the folder and the file's name.",
            )
        if path in labels:
            fail(f"{_short(tiny, path)} is listed more than once", help="Each image of the split comes once.")
        if isinstance(example["label"], str):
            fail(
                "An example's label is text",
                "expected: an int",
                f"received: {example['label']!r}"[:160],
                help="Look it up in the label map.",
            )
        labels[path] = integer(example["label"], f"label of {_short(tiny, path)}")
    return labels


def _same_files(tiny: TinySet, split: str, paths: list[str], listed: int, classes: dict[str, str]) -> None:
    extra = [path for path in paths if path not in classes]
    missing = [path for path in classes if path not in paths]
    sides = (f"expected: {len(classes)} images", f"received: {listed} examples")
    if extra:
        first = f"first: {_short(tiny, extra[0])}"
        if extra[0].endswith(".txt"):
            fail("list_examples lists files that are no images", *sides, first, help="Take the .JPEG files of the images folder only.")
        if extra[0] in tiny.train or extra[0] in tiny.val or "/test/" in Path(extra[0]).as_posix():
            fail(f"list_examples lists images of another split than {split}", *sides, first, help=f"Look under {split}/ only.")
        fail("list_examples lists paths that do not exist", *sides, first, help="Compare it with a path on your disk, folder by folder.")
    if missing and not listed:
        fail(
            f"list_examples found no {split} image at all",
            *sides,
            f"first missing: {_short(tiny, missing[0])}",
            help="Print the folder that you list and the pattern that you look for. Are the ids from load_label_map right?",
        )
    if missing:
        fail(
            f"{len(missing)} of {len(classes)} {split} images are missing",
            *sides,
            f"first missing: {_short(tiny, missing[0])}",
            help="List what is there: look at the first and the last of each folder or file, and count on no fixed number of images.",
        )


def _follows_own_map(submission: Submission, tiny: TinySet, classes: dict[str, str], labels: dict[str, int]) -> bool:
    try:
        own = submission.data.load_label_map(submission.tools.path(tiny.root))
    except (CheckFailed, CheckEnded):
        return False
    if not isinstance(own, dict) or not all(type(own.get(wnid)) is int for wnid in tiny.wnids):
        return False
    numbers = {own[wnid] for wnid in tiny.wnids}
    return len(numbers) == len(tiny.wnids) and all(labels[path] == own[wnid] for path, wnid in classes.items())


def _mistakes(tiny: TinySet, split: str) -> Iterator[tuple[dict[str, int], str, str]]:
    classes = tiny.train if split == "train" else tiny.val
    by_id = {wnid: label for label, wnid in enumerate(sorted(tiny.wnids))}
    yield (
        {path: by_id[wnid] for path, wnid in classes.items()},
        "The class ids were sorted before they were numbered",
        "A label is the line number in wnids.txt, whose order is not the alphabet's. A folder listing is sorted by name.",
    )
    if split != "val":
        return
    by_line = [tiny.label(tiny.val[str(tiny.root / "val" / "images" / name)]) for name in tiny.annotated]
    each = len(tiny.val) // len(tiny.wnids)
    in_order = [index // each for index in range(len(tiny.val))]
    numbers = sorted(tiny.val, key=lambda path: int(re.findall(r"\d+", path)[-1]))
    for paths in (numbers, sorted(tiny.val), [str(tiny.root / "val" / "images" / name) for name in tiny.annotated]):
        yield (
            dict(zip(paths, in_order, strict=True)),
            "The validation images were taken to be in class order",
            "They are mixed: read each image's class id from its line in val/val_annotations.txt.",
        )
        yield (
            dict(zip(paths, by_line, strict=True)),
            "The lines of val_annotations.txt were paired with the files by position",
            "A line names its file: pair by that name. A folder listing has an order of its own (val_10 comes before val_2).",
        )


def _short(tiny: TinySet, path: str) -> str:
    return os.path.relpath(path, tiny.root)
