"""Small data sets in Tiny ImageNet's layout, drawn anew for every check: other ids, other numbers of images, the same quirks."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from grader.lab import IMAGE_SIZE

LEVELS = 10.0
"""How many of 255 levels two JPEG decoders may differ by. Pillow and TensorFlow round their inverse transforms in other ways: at most 5
levels apart on pictures as smooth as ours."""

COLOURS = 3
"""Colours a side: a picture is a grid of so many chance colours, made smooth."""

MANY = (105, 120)
"""Bounds of how many images one class has for training, and all have for validation: more than a limit that was left in from a quick try,
such as `[:100]`."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG file and what it shows.

    Attributes:
        jpeg: The file's bytes.
        pixels: (64, 64, 3) uint8, or (64, 64) for a greyscale file, as Pillow decodes it.
    """

    jpeg: bytes
    pixels: np.ndarray


@dataclass(frozen=True, slots=True)
class TinySet:
    """A data set on disk.

    Attributes:
        root: Its folder.
        wnids: The ids in the order of wnids.txt.
        train: From a training image's path to its class id.
        val: From a validation image's path to its class id.
        annotated: Validation file names in the order of val_annotations.txt.
    """

    root: Path
    wnids: tuple[str, ...]
    train: dict[str, str]
    val: dict[str, str]
    annotated: tuple[str, ...]

    def label(self, wnid: str) -> int:
        """The line number of an id in wnids.txt."""
        return self.wnids.index(wnid)


def wnid_lists() -> st.SearchStrategy[list[str]]:
    """Lists of class ids, not sorted."""
    return st.lists(st.integers(1_000_000, 15_000_000).map(lambda number: f"n{number:08d}"), min_size=1, max_size=12, unique=True)


def draw_picture(rng: np.random.Generator, *, grey: bool = False, brightest: int = 255) -> Picture:
    """Draws a smooth picture of strong colours.

    Args:
        rng: Where the chance comes from.
        grey: Whether the file has one channel.
        brightest: The largest value that a pixel may have, about.

    Returns:
        The picture.
    """
    colours = rng.integers(0, 256, (COLOURS, COLOURS, 3), dtype=np.uint8)
    colours[0, 0], colours[-1, -1] = (255, 240, 0), (0, 10, 60)  # always bright and dark, and never grey
    colours = (colours * (brightest / 255)).astype(np.uint8)
    size = (IMAGE_SIZE, IMAGE_SIZE)
    image = Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC).convert("L" if grey else "RGB")
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90, **({} if grey else {"subsampling": "4:4:4"}))
    with Image.open(io.BytesIO(buffer.getvalue())) as file:
        return Picture(buffer.getvalue(), np.asarray(file))


def write_ids(root: Path, wnids: Sequence[str], *, end: str = "\n") -> dict[str, int]:
    """Writes wnids.txt, and words.txt with more ids than that, sorted.

    Args:
        root: The data set's folder; made if it is not there.
        wnids: The ids of the classes.
        end: What stands behind the last id.

    Returns:
        The lines of words.txt: from id to line number.
    """
    root.mkdir(exist_ok=True)
    (root / "wnids.txt").write_text("\n".join(wnids) + end, encoding="utf-8")
    words = sorted({*wnids, *(f"n{number:08d}" for number in range(900_000, 15_900_000, 3_000_000))})
    (root / "words.txt").write_text("".join(f"{wnid}\tname of {wnid}, other name\n" for wnid in words), encoding="utf-8")
    return {wnid: line for line, wnid in enumerate(words)}


def draw_set(rng: np.random.Generator, root: Path) -> TinySet:
    """Draws a data set and writes it.

    Args:
        rng: Where the chance comes from.
        root: Its folder, which is made.

    Returns:
        What was written.
    """
    wnids = _unsorted_ids(rng, int(rng.integers(5, 8)))
    write_ids(root, wnids)
    colour, grey = draw_picture(rng).jpeg, draw_picture(rng, grey=True).jpeg
    train: dict[str, str] = {}
    large = str(rng.choice(wnids))
    for wnid in wnids:
        images = _folder(root / "train" / wnid / "images")
        # Some numbers are left out: what is there is told by the folder, not by counting up.
        count = int(rng.integers(*(MANY if wnid == large else (3, 13))))
        names = [f"{wnid}_{number}.JPEG" for number in sorted(rng.choice(count + 4, count, replace=False))]
        for number, name in enumerate(names):
            (images / name).write_bytes(grey if number == 1 else colour)
            train[str(images / name)] = wnid
        boxes = "".join(f"{name}\t0\t10\t63\t58\n" for name in names)
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text(boxes, encoding="utf-8")
    val_classes = rng.permutation(np.repeat(wnids, -(-int(rng.integers(*MANY)) // len(wnids)))).tolist()
    images = _folder(root / "val" / "images")
    val = {str(images / f"val_{number}.JPEG"): str(wnid) for number, wnid in enumerate(val_classes)}
    for path in val:
        Path(path).write_bytes(colour)
    lines = [f"{Path(path).name}\t{wnid}\t0\t32\t44\t62\n" for path, wnid in val.items()]
    # The lines come in an order of their own: a line says which image it is about.
    lines = [lines[index] for index in rng.permutation(len(lines))]
    (root / "val" / "val_annotations.txt").write_text("".join(lines), encoding="utf-8")
    for number in range(4):
        (_folder(root / "test" / "images") / f"test_{number}.JPEG").write_bytes(colour)
    return TinySet(root, wnids, train, val, tuple(line.split("\t")[0] for line in lines))


def _unsorted_ids(rng: np.random.Generator, count: int) -> tuple[str, ...]:
    wnids = sorted(f"n{number:08d}" for number in rng.choice(14_000_000, count, replace=False) + 1_000_000)
    while (order := rng.permutation(count)).tolist() == sorted(order):
        pass
    return tuple(wnids[index] for index in order)


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def rows(paths: Sequence[str], labels: Sequence[int]) -> list[dict[str, Any]]:
    """Field values of examples.

    Args:
        paths: Where the images are.
        labels: Their classes.

    Returns:
        A mapping an example.
    """
    return [{"path": path, "label": int(label)} for path, label in zip(paths, labels, strict=True)]
