"""The pieces of work that a data set is made in, and the files that each writes.

A chunk is a class's training folder, or 500 pictures of "val" or "test". A file is written under another name and then renamed, so a file
that has its right name is whole. A finished chunk leaves a record of its checksums.
"""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from grader.dataset.draw import draw
from grader.dataset.layout import SPLITS, Place, Size, box_line, boxes_path, class_ids, encode, mixed_places, sha256_of, train_places
from grader.lab import CLASSES

MAKING_FOLDER: Final = ".making"
"""Where records and unfinished files lie while a set is being made."""

_CHUNK_IMAGES: Final = 500


class Chunk(NamedTuple):
    """A piece of work that is done in one go.

    Attributes:
        size: of the data set.
        seed: of the data set.
        split: "train", "val" or "test".
        part: the class in "train"; which 500 pictures in the others.
    """

    size: Size
    seed: int
    split: str
    part: int

    @property
    def name(self) -> str:
        """The chunk's name, for its record."""
        return f"{self.split}-{self.part}"

    @property
    def images(self) -> int:
        """How many pictures it has."""
        if self.split == "train":
            return self.size.train
        return min(_CHUNK_IMAGES, self.size.total(self.split) - self.part * _CHUNK_IMAGES)

    def places(self) -> list[Place]:
        """Its pictures, in file order."""
        if self.split == "train":
            return list(train_places(self.size, self.part))
        first = self.part * _CHUNK_IMAGES
        return mixed_places(self.size, self.split, self.seed)[first : first + self.images]


class Record(NamedTuple):
    """What a finished chunk wrote.

    Attributes:
        checksums: relative path to SHA-256, in file order.
        lines: the chunk's part of val_annotations.txt.
    """

    checksums: dict[str, str]
    lines: str


def chunks_of(size: Size, seed: int) -> Iterator[Chunk]:
    """All chunks of a data set, in the order in which their annotations stand in the files."""
    for index in range(CLASSES):
        yield Chunk(size, seed, "train", index)
    for split in SPLITS[1:]:
        for index in range(-(-size.total(split) // _CHUNK_IMAGES)):
            yield Chunk(size, seed, split, index)


def write_whole(folder: Path, path: str, content: bytes) -> None:
    """Writes a file so that it is either whole or not there: under another name first, then renamed.

    Args:
        folder: of the data set.
        path: of the file, relative to it.
        content: the file's bytes.

    Raises:
        OSError: it cannot be written.
    """
    target = folder / path
    spool = folder / MAKING_FOLDER / f"{os.getpid()}-{threading.get_ident()}.part"
    for attempt in range(3):
        try:
            spool.write_bytes(content)
            os.replace(spool, target)
            return
        except FileNotFoundError:
            # A folder is not there yet, or another run that was making the same set has just finished and tidied up.
            if attempt == 2:
                raise
            spool.parent.mkdir(parents=True, exist_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)


def has_content(folder: Path, path: str, content: bytes) -> bool:
    """Whether a file is there with these bytes."""
    try:
        return (folder / path).read_bytes() == content
    except OSError:
        return False


def make_chunk(folder: Path, chunk: Chunk) -> Record:
    """Draws a chunk's pictures and writes those that are not on disk as they should be.

    Args:
        folder: of the data set.
        chunk: what to draw.

    Returns:
        The record, which is also left in the folder.

    Raises:
        OSError: a file cannot be written.
    """
    checksums: dict[str, str] = {}
    lines: list[str] = []
    for place in chunk.places():
        picture = draw(chunk.seed, place.split, place.class_index, place.number)
        content = encode(picture)
        if not has_content(folder, place.path, content):
            write_whole(folder, place.path, content)
        checksums[place.path] = sha256_of(content)
        lines.append(box_line(place.file, picture.box, class_ids()[place.class_index] if chunk.split == "val" else None))
    if chunk.split == "train":
        content = "".join(lines).encode()
        write_whole(folder, boxes_path(chunk.part), content)
        checksums[boxes_path(chunk.part)] = sha256_of(content)
    record = Record(checksums, "".join(lines) if chunk.split == "val" else "")
    write_whole(folder, f"{MAKING_FOLDER}/{chunk.name}.json", json.dumps(record._asdict()).encode())
    return record


def record_of(folder: Path, chunk: Chunk) -> Record | None:
    """The record of a chunk whose files are all there, else None."""
    try:
        body = json.loads((folder / MAKING_FOLDER / f"{chunk.name}.json").read_bytes())
        record = Record(dict(body["checksums"]), str(body["lines"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if all((folder / path).is_file() for path in record.checksums) else None
