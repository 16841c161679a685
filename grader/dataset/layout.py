"""Tiny ImageNet's layout on disk, quirks included: which files a data set has and what stands in each.

    wnids.txt                            200 ids, not sorted; a class's label is its line number, from 0
    words.txt                            id, tab, names separated by commas; many more ids than the 200
    train/<wnid>/images/<wnid>_<n>.JPEG  some of them greyscale
    train/<wnid>/<wnid>_boxes.txt        file, left, top, right, bottom; tab separated
    val/images/val_<n>.JPEG              not in class order
    val/val_annotations.txt              file, wnid, left, top, right, bottom; tab separated
    test/images/test_<n>.JPEG            without labels

Source: the archive tiny-imagenet-200.zip of Stanford's CS231N. The ids here are made up, and lie outside WordNet's own (n00... to n15...),
so that an embedded set and the real one cannot be taken for each other.
"""

import hashlib
import io
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from grader.dataset.bits import Bits
from grader.dataset.draw import Box, Picture
from grader.dataset.factors import COLOURS, SHAPES, TEXTURES, factors_of
from grader.lab import CLASSES, IMAGE_SIZE

JPEG_QUALITY: Final = 85
WNIDS_FILE: Final = "wnids.txt"
WORDS_FILE: Final = "words.txt"
ANNOTATIONS_FILE: Final = "val/val_annotations.txt"
SPLITS: Final = ("train", "val", "test")

_MORE_SHAPES: Final = ("pentagon", "spiral", "kite", "wedge", "bell", "leaf", "drop", "anchor", "crown", "shield")
_MORE_TEXTURES: Final = ("waved", "speckled", "marbled", "ribbed")
_MORE_COLOURS: Final = ("orange", "brown", "pink", "white", "black", "turquoise", "grey")


class Size(NamedTuple):
    """How many pictures a class has in each split.

    Attributes:
        name: "small", "full" or another.
        train: training pictures a class.
        val: validation pictures a class.
        test: test pictures a class.
    """

    name: str
    train: int
    val: int
    test: int

    def total(self, split: str) -> int:
        """Pictures of all classes in a split."""
        return CLASSES * {"train": self.train, "val": self.val, "test": self.test}[split]

    @property
    def images(self) -> int:
        """Pictures of all classes in all splits."""
        return sum(self.total(split) for split in SPLITS)


SIZES: Final = {size.name: size for size in (Size("small", 25, 5, 1), Size("full", 500, 50, 50))}


@cache
def _all_words() -> dict[str, tuple[str, str, str]]:
    """Every id of words.txt, with its (shape, texture, colour); the ids of the 200 classes come first, in label order."""
    bits = Bits("wnids", 1)
    classes = [tuple(factors_of(index)) for index in range(CLASSES)]
    known = set(classes)
    others = [
        (shape, texture, colour)
        for shape in SHAPES + _MORE_SHAPES
        for texture in TEXTURES + _MORE_TEXTURES
        for colour in COLOURS + _MORE_COLOURS
        if (shape, texture, colour) not in known
    ]
    words: dict[str, tuple[str, str, str]] = {}
    for shape, texture, colour in classes + others:
        wnid = f"n{20_000_000 + bits.below(80_000_000):08d}"
        while wnid in words:
            wnid = f"n{20_000_000 + bits.below(80_000_000):08d}"
        words[wnid] = (shape, texture, colour)
    return words


@cache
def class_ids() -> tuple[str, ...]:
    """The 200 ids, in label order: the same for every size and seed."""
    return tuple(_all_words())[:CLASSES]


def wnids_text() -> str:
    """What stands in wnids.txt."""
    return "".join(f"{wnid}\n" for wnid in class_ids())


def words_text() -> str:
    """What stands in words.txt: sorted by id, two names each."""
    lines = [
        f"{wnid}\t{colour} {texture} {shape}, {texture} {shape} in {colour}\n" for wnid, (shape, texture, colour) in _all_words().items()
    ]
    return "".join(sorted(lines))


class Place(NamedTuple):
    """One picture's place in a data set.

    Attributes:
        split: "train", "val" or "test".
        class_index: 0 to 199.
        number: which picture of its class in its split, from 0.
        file: its name, without the folder.
    """

    split: str
    class_index: int
    number: int
    file: str

    @property
    def path(self) -> str:
        """Relative to the data set's folder, with forward slashes."""
        return f"{image_folder(self.split, self.class_index)}/{self.file}"


def image_folder(split: str, class_index: int = 0) -> str:
    """The folder of a split's pictures, relative to the data set's folder; `class_index` matters for "train" only."""
    return f"train/{class_ids()[class_index]}/images" if split == "train" else f"{split}/images"


def boxes_path(class_index: int) -> str:
    """The file with the boxes of a class's training pictures, relative to the data set's folder."""
    wnid = class_ids()[class_index]
    return f"train/{wnid}/{wnid}_boxes.txt"


def train_places(size: Size, class_index: int) -> Iterator[Place]:
    """The training pictures of a class, in file order."""
    wnid = class_ids()[class_index]
    for number in range(size.train):
        yield Place("train", class_index, number, f"{wnid}_{number}.JPEG")


def mixed_places(size: Size, split: str, seed: int) -> list[Place]:
    """The pictures of "val" or "test" in file order, which is not class order.

    Args:
        size: of the data set.
        split: "val" or "test".
        seed: of the data set.

    Returns:
        A place for each file, in the order of the files' numbers.
    """
    order = Bits("order", 1, seed, split, size.total(split)).permutation(size.total(split))
    return [Place(split, where % CLASSES, where // CLASSES, f"{split}_{n}.JPEG") for n, where in enumerate(order)]


def box_line(file: str, box: Box, wnid: str | None = None) -> str:
    """A line of a boxes file, or with `wnid` of val_annotations.txt."""
    fields = (file, *(() if wnid is None else (wnid,)), *map(str, box))
    return "\t".join(fields) + "\n"


def encode(picture: Picture) -> bytes:
    """A picture as a JPEG, with one channel if it is grey.

    The settings that Pillow would choose are fixed here; libjpeg-turbo's integer transform gives the same bytes with and without SIMD.

    Args:
        picture: (64, 64, 3) uint8 and whether it is grey.

    Returns:
        The file's bytes.
    """
    image = Image.fromarray(np.ascontiguousarray(picture.image[..., 0]) if picture.grey else picture.image)
    buffer = io.BytesIO()
    if picture.grey:
        image.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=False, progressive=False)
    else:
        image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:0", optimize=False, progressive=False)
    return buffer.getvalue()


def decode(jpeg: bytes) -> npt.NDArray[np.uint8]:
    """A JPEG as pixels; a greyscale one becomes three equal channels.

    Args:
        jpeg: the file's bytes.

    Returns:
        (height, width, 3) uint8.

    Raises:
        OSError: the bytes are no whole picture (Pillow's error, e.g. "image file is truncated").
    """
    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        return np.array(image.convert("RGB"), dtype=np.uint8)


def sha256_of(content: bytes) -> str:
    """The SHA-256 of a file's bytes, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


assert IMAGE_SIZE == 64  # the drawing, and the resolution of the boxes, are made for it
