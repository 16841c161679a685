"""Walks a data folder in Tiny ImageNet's layout and notes what does not fit together: folders, names, labels and annotations.

It needs no manifest, so it works for the real set too. It opens the text files, and of the pictures reads the names only.
"""

import os
import re
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

from grader.dataset.layout import ANNOTATIONS_FILE, WNIDS_FILE, WORDS_FILE
from grader.lab import CLASSES, IMAGE_SIZE

_WNID: Final = re.compile(r"n[0-9]{8}")
_SUFFIX: Final = ".JPEG"


class Fault(NamedTuple):
    """One broken thing.

    Attributes:
        path: relative to the data folder, with forward slashes.
        what: what is wrong with it, in a few words.
    """

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


class LabelFacts(NamedTuple):
    """What wnids.txt and words.txt say.

    Attributes:
        classes: ids in wnids.txt.
        is_sorted: whether wnids.txt is in order of id (Tiny ImageNet's is not).
        words: ids in words.txt.
        first: the id whose label is 0, or "" where there is none.
    """

    classes: int
    is_sorted: bool
    words: int
    first: str


class Scan(NamedTuple):
    """What a walk through a data folder found.

    Attributes:
        ids: the class ids in label order, each once.
        labels: what the label files say.
        pictures: relative paths of the pictures, by split.
        per_class: training pictures of each class that has a folder.
        faults: what does not fit together, in the order it was found.
    """

    ids: tuple[str, ...]
    labels: LabelFacts
    pictures: dict[str, list[str]]
    per_class: dict[str, int]
    faults: list[Fault]


def _lines(folder: Path, path: str, faults: list[Fault]) -> list[str] | None:
    try:
        return (folder / path).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        faults.append(Fault(path, "the file is missing"))
    except UnicodeDecodeError:
        faults.append(Fault(path, "the file is not UTF-8 text"))
    except OSError as problem:
        faults.append(Fault(path, f"the file cannot be read ({problem.strerror})"))
    return None


def _names(folder: Path, path: str) -> list[str] | None:
    """The names in a folder, sorted, or None where there is no such folder."""
    try:
        return sorted(os.listdir(folder / path))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _pictures(folder: Path, path: str, faults: list[Fault]) -> list[str] | None:
    """The names of the pictures in a folder, or None where there is no such folder."""
    names = _names(folder, path)
    if names is None:
        return None
    faults.extend(Fault(f"{path}/{name}", f"the name does not end in {_SUFFIX}") for name in names if not name.endswith(_SUFFIX))
    return [name for name in names if name.endswith(_SUFFIX)]


def _labels(folder: Path, faults: list[Fault]) -> tuple[tuple[str, ...], LabelFacts]:
    """The class ids in label order, and what the two label files say."""
    lines = _lines(folder, WNIDS_FILE, faults)
    ids = [line.strip() for line in lines or () if line.strip()]
    if lines is not None and len(ids) != CLASSES:
        faults.append(Fault(WNIDS_FILE, f"expected {CLASSES} ids, found {len(ids)}"))
    for wnid, times in Counter(ids).items():
        if times > 1:
            faults.append(Fault(WNIDS_FILE, f"the id {wnid!r} stands there {times} times"))
        if not _WNID.fullmatch(wnid):
            faults.append(Fault(WNIDS_FILE, f"{wnid[:40]!r} is no id: expected n and eight digits"))
    worded: set[str] = set()
    words = _lines(folder, WORDS_FILE, faults)
    for number, line in enumerate(words or (), start=1):
        wnid, tab, _ = line.partition("\t")
        if not tab or not _WNID.fullmatch(wnid):
            faults.append(Fault(WORDS_FILE, f"line {number} is not an id, a tab and names"))
        worded.add(wnid)
    if words is not None:
        faults.extend(Fault(WORDS_FILE, f"the class {wnid} has no words") for wnid in dict.fromkeys(ids) if wnid not in worded)
    return tuple(dict.fromkeys(ids)), LabelFacts(len(ids), ids == sorted(ids), len(worded), ids[0] if ids else "")


def _annotated(folder: Path, path: str, fields: int, pictures: list[str], faults: list[Fault]) -> dict[str, list[str]]:
    """The rows of a boxes or annotation file, checked against the pictures that are there."""
    lines = _lines(folder, path, faults)
    rows: dict[str, list[str]] = {}
    for number, line in enumerate(lines or (), start=1):
        row = line.split("\t")
        if len(row) != fields or not all(len(field) < 10 and field.isascii() and field.isdigit() for field in row[-4:]):
            faults.append(Fault(path, f"line {number} is not a file name{', an id' * (fields - 5)} and four numbers, tab separated"))
            continue
        left, top, right, bottom = map(int, row[-4:])
        if not (left <= right <= IMAGE_SIZE and top <= bottom <= IMAGE_SIZE):
            faults.append(Fault(path, f"line {number} has a box outside the picture"))
        if row[0] in rows:
            faults.append(Fault(path, f"line {number} names {row[0][:60]} a second time"))
        rows[row[0]] = row
    if lines is not None:
        there = set(pictures)
        faults.extend(Fault(path, f"{name[:60]} has a line but no picture") for name in rows if name not in there)
        faults.extend(Fault(path, f"{name} has a picture but no line") for name in pictures if name not in rows)
    return rows


def _train(folder: Path, ids: tuple[str, ...], faults: list[Fault]) -> dict[str, list[str]]:
    """The names of the training pictures, by class."""
    by_class: dict[str, list[str]] = {}
    present = _names(folder, "train")
    if present is None:
        faults.append(Fault("train", "the folder is missing"))
        return by_class
    faults.extend(Fault(f"train/{name}", "a class that is not in wnids.txt") for name in present if ids and name not in set(ids))
    for wnid in ids or tuple(present):
        path = f"train/{wnid}" if wnid not in present else f"train/{wnid}/images"
        pictures = _pictures(folder, f"train/{wnid}/images", faults)
        if pictures is None:
            faults.append(Fault(path, "the class folder is missing"))
            continue
        foreign = [name for name in pictures if not name.startswith(f"{wnid}_")]
        faults.extend(Fault(f"{path}/{name}", "the name does not begin with the id of its class") for name in foreign)
        _annotated(folder, f"train/{wnid}/{wnid}_boxes.txt", 5, pictures, faults)
        by_class[wnid] = pictures
    return by_class


def _val(folder: Path, ids: tuple[str, ...], faults: list[Fault]) -> list[str]:
    """The names of the validation pictures."""
    pictures = _pictures(folder, "val/images", faults)
    if pictures is None:
        faults.append(Fault("val/images", "the folder is missing"))
        return []
    rows = _annotated(folder, ANNOTATIONS_FILE, 6, pictures, faults)
    unknown = Counter(row[1] for row in rows.values() if ids and row[1] not in set(ids))
    faults.extend(Fault(ANNOTATIONS_FILE, f"the id {wnid[:40]!r} is not in wnids.txt ({n} lines)") for wnid, n in sorted(unknown.items()))
    if rows and not unknown:
        bare = sorted(set(ids) - {row[1] for row in rows.values()})
        faults.extend(Fault(ANNOTATIONS_FILE, f"the class {wnid} has no picture") for wnid in bare)
    return pictures


def scan(folder: Path) -> Scan:
    """Walks a data folder.

    Args:
        folder: in Tiny ImageNet's layout, or what is left of it.

    Returns:
        What is there and what does not fit together.
    """
    faults: list[Fault] = []
    ids, labels = _labels(folder, faults)
    train = _train(folder, ids, faults)
    val = _val(folder, ids, faults)
    test = _pictures(folder, "test/images", faults)
    if test is None:
        faults.append(Fault("test/images", "the folder is missing"))
    pictures = {
        "train": [f"train/{wnid}/images/{name}" for wnid, names in train.items() for name in names],
        "val": [f"val/images/{name}" for name in val],
        "test": [f"test/images/{name}" for name in test or ()],
    }
    return Scan(ids, labels, pictures, {wnid: len(names) for wnid, names in train.items()}, faults)
