"""Looks at single files of a data set: is this JPEG whole, is it greyscale, what is its checksum."""

import errno
import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image

from grader.dataset.layout import sha256_of
from grader.dataset.manifest import short
from grader.lab import IMAGE_SIZE

_CHUNK: Final = 512
_START: Final = b"\xff\xd8"
_END: Final = b"\xff\xd9"
_NOT_FRAMES: Final = (0xC4, 0xC8, 0xCC)
"""Markers between 0xC0 and 0xCF that do not begin a frame (ITU T.81, table B.1)."""


class Look(NamedTuple):
    """What was seen of one file.

    Attributes:
        path: relative to the data folder, with forward slashes.
        sha256: of its bytes, hexadecimal, or "" where they were not read.
        what: what is wrong with it, or None.
        grey: whether it is a JPEG of one channel; False where that was not looked at.
    """

    path: str
    sha256: str
    what: str | None
    grey: bool


def is_grey(content: bytes) -> bool:
    """Whether a JPEG has one channel, from its frame header; no pixels are decoded.

    Args:
        content: the file's bytes.

    Returns:
        True for one channel; False for more, and for what is no JPEG.
    """
    at = len(_START)
    while at + 9 < len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES:
            return content[at + 9] == 1
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return False


def picture_fault(content: bytes) -> str | None:
    """What is wrong with a picture.

    Args:
        content: the file's bytes.

    Returns:
        A few words, or None for a JPEG of 64 by 64 pixels that can be decoded to the end.
    """
    if not content:
        return "the file is empty"
    if not content.startswith(_START):
        return "the file is no JPEG"
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
            if image.size != (IMAGE_SIZE, IMAGE_SIZE):  # before decoding: a header may promise a picture that fills the memory
                return f"expected {IMAGE_SIZE} by {IMAGE_SIZE} pixels, found {image.width} by {image.height}"
            image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as problem:
        reason = "it is cut short" if "truncated" in str(problem) else str(problem).split("<")[0].strip()
        return f"the JPEG cannot be decoded: {reason}"
    return None


def _ends_fault(path: Path) -> str | None:
    """What is wrong with a JPEG, from its ends alone: enough to see an empty, foreign or cut file."""
    with path.open("rb") as file:
        start = file.read(len(_START))
        if not start:
            return "the file is empty"
        if start != _START:
            return "the file is no JPEG"
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(_END)))
        return None if file.read() == _END else "the JPEG is cut short: its end mark is missing"


def _look(folder: Path, full: bool, wanted: tuple[str, str | None]) -> Look:
    path, checksum = wanted
    is_picture = path.endswith(".JPEG")
    try:
        if is_picture and not full:
            return Look(path, "", _ends_fault(folder / path), False)
        content = (folder / path).read_bytes()
    except OSError as problem:
        missing = problem.errno in (errno.ENOENT, errno.ENOTDIR)
        return Look(path, "", "the file is missing" if missing else f"the file cannot be read ({problem.strerror})", False)
    sha256, what = sha256_of(content), None
    if checksum is None:
        what = picture_fault(content) if is_picture else None
    elif short(sha256) != checksum:
        # The picture may still be one: then all that can be said is that it is another.
        what = (picture_fault(content) if is_picture else None) or "the content is not what was made"
    return Look(path, sha256, what, is_picture and is_grey(content))


def look_at(
    folder: Path, wanted: list[tuple[str, str | None]], *, full: bool, progress: Callable[[int, int], object] | None = None
) -> list[Look]:
    """Looks at files, in threads: reading, hashing and decoding let go of the interpreter's lock.

    Args:
        folder: of the data set.
        wanted: relative path and short checksum of each file; without a checksum a picture is decoded instead of compared.
        full: whether to read the pictures whole; else only their two ends are.
        progress: called with (files looked at, files in all).

    Returns:
        What was seen, in the same order.
    """
    seen: list[Look] = []
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(wanted), _CHUNK):
            seen.extend(pool.map(partial(_look, folder, full), wanted[start : start + _CHUNK]))
            if progress is not None:
                progress(len(seen), len(wanted))
    return seen
