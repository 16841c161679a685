"""Makes the embedded data set on disk, and draws held-out pictures in memory.

The work is cut into chunks (see `chunks`), each of which leaves a record in `.making/` when it is finished. After Ctrl-C, a kill or a full
disk the next run continues with the chunks that have none, and ends with the manifest, which says that the set is whole.
"""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from grader import capacity
from grader.dataset.bits import Bits
from grader.dataset.chunks import MAKING_FOLDER, Record, chunks_of, has_content, make_chunk, record_of, write_whole
from grader.dataset.draw import DRAWING_VERSION, draw
from grader.dataset.layout import (
    ANNOTATIONS_FILE,
    SIZES,
    SPLITS,
    WNIDS_FILE,
    WORDS_FILE,
    Size,
    class_ids,
    decode,
    encode,
    image_folder,
    mixed_places,
    sha256_of,
    train_places,
    wnids_text,
    words_text,
)
from grader.dataset.manifest import MANIFEST_FILE, Group, Manifest, identity, read_manifest, short
from grader.dataset.workers import run_chunks
from grader.errors import DataError
from grader.lab import CLASSES, IMAGE_SHAPE

DEFAULT_SEED: Final = 0
Progress = Callable[[int, int], object]
"""Called with how many pictures are done and how many there are in all."""

_BYTES_AN_IMAGE: Final = 4096
"""On disk, where a file takes whole blocks."""


def _start(folder: Path, size: Size, seed: int) -> None:
    """Marks a folder as one where this data set is being made; refuses one that holds something else."""
    wanted = {"version": 1, "size": list(size), "seed": seed, "drawing": DRAWING_VERSION}
    mark = folder / MAKING_FOLDER / "set.json"
    try:
        found: Any = json.loads(mark.read_bytes())
    except FileNotFoundError:
        # Our own wnids.txt: a set that was finished and has lost its manifest.
        if (
            folder.is_dir()
            and set(os.listdir(folder)) - {MAKING_FOLDER, MANIFEST_FILE}
            and not has_content(folder, WNIDS_FILE, wnids_text().encode())
        ):
            raise DataError(
                f"{folder} holds files that are no embedded data set: expected an empty or new folder, or one that this command made; "
                "choose another folder."
            ) from None
        found = None
    except ValueError:
        found = None
    if found is not None and found != wanted:
        raise DataError(
            f"{folder} holds the beginnings of another data set (received {found}, expected {wanted}): "
            "choose another folder, or delete this one."
        )
    write_whole(folder, f"{MAKING_FOLDER}/set.json", json.dumps(wanted).encode())


def _groups(size: Size, seed: int, checksums: dict[str, str]) -> Iterator[Group]:
    for index, wnid in enumerate(class_ids()):
        texts = [short(checksums[place.path]) for place in train_places(size, index)]
        yield Group(image_folder("train", index), f"{wnid}_", "".join(texts))
    for split in SPLITS[1:]:
        texts = [short(checksums[place.path]) for place in mixed_places(size, split, seed)]
        yield Group(image_folder(split), f"{split}_", "".join(texts))


def _finish(folder: Path, size: Size, seed: int, records: list[Record]) -> Manifest:
    """Writes the files that belong to the whole set, and at last the manifest."""
    checksums = {path: checksum for record in records for path, checksum in record.checksums.items()}
    annotations = "".join(record.lines for record in records)
    for path, text in ((WNIDS_FILE, wnids_text()), (WORDS_FILE, words_text()), (ANNOTATIONS_FILE, annotations)):
        content = text.encode()
        if not has_content(folder, path, content):
            write_whole(folder, path, content)
        checksums[path] = sha256_of(content)
    manifest = Manifest(
        name=f"embedded-{size.name}",
        size=size.name,
        seed=seed,
        drawing=DRAWING_VERSION,
        counts={split: size.total(split) for split in SPLITS},
        sha256=identity(checksums),
        groups=tuple(_groups(size, seed, checksums)),
        files={path: checksum for path, checksum in sorted(checksums.items()) if not path.endswith(".JPEG")},
    )
    write_whole(folder, MANIFEST_FILE, manifest.text().encode())
    shutil.rmtree(folder / MAKING_FOLDER, ignore_errors=True)
    return manifest


def missing_files(folder: Path, manifest: Manifest) -> list[str]:
    """The files of a manifest that are not in the folder, by name alone.

    Args:
        folder: of the data set.
        manifest: what should be there.

    Returns:
        Relative paths, in the manifest's order.
    """
    present: dict[str, set[str]] = {}
    missing: list[str] = []
    for path, _ in manifest.paths():
        parent, _, name = path.rpartition("/")
        if parent not in present:
            try:
                present[parent] = set(os.listdir(folder / parent))
            except (FileNotFoundError, NotADirectoryError):
                present[parent] = set()
        if name not in present[parent]:
            missing.append(path)
    return missing


def _reopened(folder: Path, size: Size, seed: int) -> Manifest | None:
    """The manifest of a folder that is whole by its names; a finished folder that lost files is marked as being made again."""
    manifest = read_manifest(folder)
    if manifest is None:
        return None
    if (manifest.size, manifest.seed, manifest.drawing) != (size.name, seed, DRAWING_VERSION):
        raise DataError(
            f"{folder} holds {manifest.name} with seed {manifest.seed} of drawing {manifest.drawing}, "
            f"expected embedded-{size.name} with seed {seed} of drawing {DRAWING_VERSION}: choose another folder, or delete this one."
        )
    if not missing_files(folder, manifest):
        shutil.rmtree(folder / MAKING_FOLDER, ignore_errors=True)
        return manifest
    mark = {"version": 1, "size": list(size), "seed": seed, "drawing": DRAWING_VERSION}
    write_whole(folder, f"{MAKING_FOLDER}/set.json", json.dumps(mark).encode())
    return None


def make_dataset(
    folder: Path | str,
    size: str | Size = "small",
    *,
    seed: int = DEFAULT_SEED,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Manifest:
    """Makes an embedded data set in a folder, or what is missing of it.

    Args:
        folder: where to; made if it is not there. A folder that holds anything else is refused.
        size: "small" (200 classes with 25, 5 and 1 pictures), "full" (500, 50 and 50), or a `Size`.
        seed: chooses the pictures; the classes are the same for every seed.
        progress: called with (pictures done, pictures in all), at the start and after each chunk.
        workers: processes to use; all cores by default.

    Returns:
        The manifest, which also stands in the folder.

    Raises:
        DataError: the size is unknown, the folder holds something else, it cannot be written, or the disk is full. What was made is kept.
    """
    folder = Path(folder)
    if isinstance(size, str):
        if size not in SIZES:
            raise DataError(f"There is no such size of the data set: expected one of {', '.join(SIZES)}, received {size!r}.")
        size = SIZES[size]
    report: Progress = progress or (lambda done, total: None)
    done = 0
    try:
        whole = _reopened(folder, size, seed)
        if whole is not None:
            report(size.images, size.images)
            return whole
        if not (folder / MANIFEST_FILE).exists():
            _start(folder, size, seed)
        chunks = list(chunks_of(size, seed))
        records = {chunk: record for chunk in chunks if (record := record_of(folder, chunk)) is not None}
        done = sum(chunk.images for chunk in records)
        report(done, size.images)
        missing = [chunk for chunk in chunks if chunk not in records]
        for chunk, record in run_chunks(partial(make_chunk, folder), missing, workers or capacity.cores()):
            records[chunk] = record
            done += chunk.images
            report(done, size.images)
        return _finish(folder, size, seed, [records[chunk] for chunk in chunks])
    except BrokenProcessPool as problem:
        raise DataError(
            f"A process that was drawing pictures ended by itself after {done} of {size.images} pictures (out of memory, or killed): "
            "what was made is kept, run the same command again."
        ) from problem
    except OSError as problem:
        raise _disk_error(problem, folder, done, size) from problem


def _disk_error(problem: OSError, folder: Path, done: int, size: Size) -> DataError:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        needed_mb = -(-(size.images - done) * _BYTES_AN_IMAGE // 1_000_000)
        return DataError(
            f"The disk that holds {folder} is full after {done} of {size.images} pictures: expected about {needed_mb} MB more; "
            "what was made is kept, free that much and run the same command again."
        )
    return DataError(
        f"The data set cannot be written to {folder} ({problem.strerror or problem}): expected a folder that can be written; "
        "choose another folder or mend its permissions, and run the same command again."
    )


def held_out(seed: bytes, count: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Draws a test set that nobody has seen, in memory, through the same JPEG encoding as on disk.

    Args:
        seed: secret; other bytes give other pictures.
        count: how many pictures; the classes are as balanced as `count` allows, in random order.

    Returns:
        images (count, 64, 64, 3) uint8 and labels (count,) int64, the line numbers of wnids.txt.

    Raises:
        ValueError: `count` is negative.
    """
    if count < 0:
        raise ValueError(f"A number of pictures cannot be negative: expected 0 or more, received count={count}.")
    bits = Bits("held-out", 1, seed, count)
    order = bits.permutation(CLASSES)
    places = [(order[n % CLASSES], n // CLASSES) for n in bits.permutation(count)]
    images = np.empty((count, *IMAGE_SHAPE), dtype=np.uint8)
    labels = np.empty(count, dtype=np.int64)
    for n, (class_index, number) in enumerate(places):
        images[n] = decode(encode(draw(seed, "held-out", class_index, number)))
        labels[n] = class_index
    return images, labels
