"""Fetches the real Tiny ImageNet: download that can be continued, checksum, unpacking, and one rename at the end.

Everything happens in a folder beside the destination, `<name>.fetch/`; the destination appears when all is done and not before. What was
downloaded is kept there when the line breaks, and the next run continues with it.
"""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
import tenacity

from grader.dataset.layout import WNIDS_FILE
from grader.dataset.unpack import TINY_IMAGENET, Limits, unpack
from grader.errors import FetchError

TINY_IMAGENET_URL: Final = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
TINY_IMAGENET_MD5: Final = "90528d7ca1a48142e341f4ef8d21d0de"
LARGEST_DOWNLOAD: Final = 2**30
"""Bytes; the archive has about 237 million."""

_FRUITLESS_ATTEMPTS: Final = 5
"""Give up after so many attempts in a row that brought no byte."""

_TIMEOUT_S: Final = 30.0

Progress = Callable[[int, int], object]


class _TryAgain(Exception):
    """The server's answer may be another one next time."""


def _may_pass(problem: BaseException) -> bool:
    """Whether another attempt may end otherwise."""
    return isinstance(problem, httpx.TransportError | _TryAgain) and not isinstance(problem, httpx.UnsupportedProtocol)


class _Download:
    """One archive on its way: the file so far, and what the server said of the version it belongs to.

    Args:
        url: of the archive.
        folder: where the parts lie.
        progress: called with (bytes so far, bytes in all).
    """

    def __init__(self, url: str, folder: Path, progress: Progress) -> None:
        self._url = url
        self._part = folder / "archive.part"
        self._mark = folder / "version.json"
        self._progress = progress
        self._fruitless = 0

    def run(self, client: httpx.Client) -> Path:
        """Downloads what is missing, however often the line breaks.

        Returns:
            The whole file.

        Raises:
            FetchError: the server refuses, or no byte comes any more.
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_pass),
            stop=lambda state: self._fruitless >= _FRUITLESS_ATTEMPTS,
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=10),
            reraise=True,
        )
        try:
            retrying(self._attempt, client)
        except (httpx.HTTPError, httpx.InvalidURL, _TryAgain) as problem:
            raise FetchError(
                f"The download of {self._url} broke off after {self._size()} bytes ({problem or type(problem).__name__}): "
                "what came is kept; check the network and run the same command again."
            ) from problem
        return self._part

    def _size(self) -> int:
        try:
            return self._part.stat().st_size
        except FileNotFoundError:
            return 0

    def _version(self) -> str | None:
        """What the server called the version that the part belongs to: its ETag, or its date."""
        try:
            mark = json.loads(self._mark.read_bytes())
            return str(mark["version"]) if mark["url"] == self._url and mark["version"] else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _start_over(self) -> None:
        self._part.unlink(missing_ok=True)
        self._mark.unlink(missing_ok=True)

    def _attempt(self, client: httpx.Client) -> None:
        before = self._size()
        try:
            self._receive(client, before)
        finally:
            self._fruitless = 0 if self._size() > before else self._fruitless + 1

    def _receive(self, client: httpx.Client, have: int) -> None:
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if (version := self._version()) is not None:
                headers["If-Range"] = version
        with client.stream("GET", self._url, headers=headers) as answer:
            if answer.status_code == 416:
                # Nothing lies behind what we have: either that is all, or the archive is another one now. The checksum tells.
                if answer.headers.get("Content-Range", "") == f"bytes */{have}":
                    return
                self._start_over()
                raise _TryAgain("the server has another archive now")
            if answer.status_code >= 500 or answer.status_code in (408, 429):
                raise _TryAgain(f"the server answered {answer.status_code}")
            if answer.status_code not in (200, 206):
                raise FetchError(
                    f"The server has no archive at {self._url}: expected status 200, received {answer.status_code}; give another address."
                )
            total = self._total(answer, have)
            self._write(answer, have if answer.status_code == 206 else 0, total)

    def _total(self, answer: httpx.Response, have: int) -> int | None:
        """How many bytes the whole archive has, if the server says so."""
        if answer.status_code == 206:
            place = re.fullmatch(r"bytes ([0-9]{1,15})-[0-9]{1,15}/([0-9]{1,15}|\*)", answer.headers.get("Content-Range", ""))
            if place is None or int(place[1]) != have:
                self._start_over()
                raise _TryAgain("the server sent another part than was asked for")
            return None if place[2] == "*" else int(place[2])
        length = answer.headers.get("Content-Length", "")
        return int(length) if re.fullmatch(r"[0-9]{1,15}", length) else None

    def _write(self, answer: httpx.Response, have: int, total: int | None) -> None:
        if total is not None and total > LARGEST_DOWNLOAD:
            raise FetchError(
                f"The archive at {self._url} is refused: expected at most {LARGEST_DOWNLOAD} bytes, received {total} announced."
            )
        # If-Range takes strong tags only (RFC 9110, 13.1.5).
        tag = answer.headers.get("ETag", "")
        version = tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")
        self._mark.write_text(json.dumps({"url": self._url, "version": version}), encoding="utf-8")
        with self._part.open("r+b" if have else "wb") as file:
            file.seek(have)
            file.truncate()
            for block in answer.iter_raw():  # as it comes: a size would hold blocks back, and lose them when the line breaks
                have += len(block)
                if have > LARGEST_DOWNLOAD:
                    raise FetchError(f"The archive at {self._url} is refused: expected at most {LARGEST_DOWNLOAD} bytes, received more.")
                file.write(block)
                self._progress(have, total if total is not None else have)
        if total is not None and have < total:
            raise _TryAgain(f"{have} of {total} bytes came")


def _md5_of(path: Path) -> str:
    with path.open("rb") as file:
        digest: str = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return digest


def _archive(url: str, md5: str, work: Path, progress: Progress) -> Path:
    """The archive with the right checksum: the one that lies there already, or a downloaded one.

    Raises:
        FetchError: it cannot be had.
    """
    archive = work / "archive.zip"
    if archive.is_file() and _md5_of(archive) == md5.lower():
        return archive
    continued = (work / "archive.part").exists()
    with httpx.Client(follow_redirects=True, timeout=_TIMEOUT_S) as client:
        part = _Download(url, work, progress).run(client)
        received = _md5_of(part)
        if received != md5.lower() and continued:
            # Two halves of two archives, perhaps: once more, from the beginning.
            part.unlink()
            part = _Download(url, work, progress).run(client)
            received = _md5_of(part)
    if received != md5.lower():
        size = part.stat().st_size
        shutil.rmtree(work)
        raise FetchError(
            f"The archive from {url} is not the expected one: expected MD5 {md5}, received {received} ({size} bytes); "
            "it was thrown away, try again later or give another address."
        )
    os.replace(part, archive)
    return archive


def _root_of(tree: Path) -> Path:
    """The folder with wnids.txt in what was unpacked: the top one, or the only one in it.

    Raises:
        FetchError: there is none.
    """
    inside = [entry for entry in tree.iterdir() if entry.is_dir()]
    for root in [tree, *inside] if len(inside) == 1 else [tree]:
        if (root / WNIDS_FILE).is_file() and all((root / split).is_dir() for split in ("train", "val")):
            return root
    raise FetchError("The archive holds no data set: expected wnids.txt, train/ and val/ in one folder; give another address.")


def fetch(
    destination: Path | str,
    *,
    url: str = TINY_IMAGENET_URL,
    md5: str = TINY_IMAGENET_MD5,
    progress: Progress | None = None,
    limits: Limits = TINY_IMAGENET,
) -> Path:
    """Fetches the real Tiny ImageNet, or another archive in its layout.

    Args:
        destination: the data folder to make, e.g. data/tiny-imagenet-200. If it holds a data set already, nothing is done.
        url: of the zip archive; its source is Stanford's CS231N.
        md5: of the archive, 32 hexadecimal digits.
        progress: called with (bytes so far, bytes in all) while the archive comes.
        limits: how large the archive may be when unpacked.

    Returns:
        The destination.

    Raises:
        FetchError: the archive cannot be had, is another one than expected, is damaged or hostile; or the destination holds something else.
            The destination is then as it was before.
    """
    destination = Path(destination)
    if (destination / WNIDS_FILE).is_file():
        return destination
    work = destination.with_name(f"{destination.name}.fetch")
    try:
        if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
            raise FetchError(f"{destination} holds something that is no data set: expected a new or empty folder; choose another one.")
        work.mkdir(parents=True, exist_ok=True)
        archive = _archive(url, md5, work, progress or (lambda done, total: None))
        tree = work / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        try:
            unpack(archive, tree, limits=limits)
            root = _root_of(tree)
        except FetchError:
            shutil.rmtree(work)
            raise
        if destination.is_dir():
            destination.rmdir()
        os.replace(root, destination)
        shutil.rmtree(work)
    except OSError as problem:
        full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
        raise FetchError(
            f"The data set cannot be written beside {destination} ({'the disk is full' if full else problem.strerror or problem}): "
            f"expected {'about 1 GB of free space' if full else 'a folder that can be written'}; what came is kept, "
            "mend that and run the same command again."
        ) from problem
    return destination
