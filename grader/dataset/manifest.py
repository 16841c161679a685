"""manifest.json: what a whole embedded data set holds, to the byte, in a form short enough to ship with it.

The pictures of a folder are numbered, so their checksums stand in one text for the folder: eight characters a picture, the first 48 bits of
its SHA-256 in base 64. That is enough to name each broken file; `sha256`, over all names and all whole checksums, is the set's identity.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from grader.errors import DataError

MANIFEST_FILE: Final = "manifest.json"
MANIFEST_VERSION: Final = 1
"""Of the manifest's form. 1: first version."""

_SHORT_BYTES: Final = 6
_SHORT_CHARACTERS: Final = 8


def short(sha256: str) -> str:
    """The first 48 bits of a checksum in base 64, eight characters."""
    return base64.urlsafe_b64encode(bytes.fromhex(sha256)[:_SHORT_BYTES]).decode("ascii")


class Group(NamedTuple):
    """The numbered pictures of one folder.

    Attributes:
        folder: relative to the data set's folder, with forward slashes.
        prefix: of the file names, e.g. "val_" for val_0.JPEG.
        checksums: eight characters a picture, in the order of their numbers.
    """

    folder: str
    prefix: str
    checksums: str

    @property
    def pictures(self) -> int:
        """How many pictures the folder has."""
        return len(self.checksums) // _SHORT_CHARACTERS

    def items(self) -> Iterator[tuple[str, str]]:
        """Each file's name, without the folder, and its short checksum."""
        for number in range(self.pictures):
            yield f"{self.prefix}{number}.JPEG", self.checksums[number * _SHORT_CHARACTERS : (number + 1) * _SHORT_CHARACTERS]


class Manifest(NamedTuple):
    """What a whole data set holds.

    Attributes:
        name: "embedded-small", "embedded-full" or another.
        size: "small", "full" or another.
        seed: of the drawing.
        drawing: version of the drawing.
        counts: pictures in each split.
        sha256: over all relative names and contents.
        groups: the folders of pictures.
        files: the other files, with their whole SHA-256.
    """

    name: str
    size: str
    seed: int
    drawing: int
    counts: dict[str, int]
    sha256: str
    groups: tuple[Group, ...]
    files: dict[str, str]

    def paths(self) -> Iterator[tuple[str, str]]:
        """Each file's relative path, and its checksum in the short form."""
        for path, checksum in self.files.items():
            yield path, short(checksum)
        for group in self.groups:
            for file, checksum in group.items():
                yield f"{group.folder}/{file}", checksum

    def text(self) -> str:
        """The manifest as it stands on disk."""
        body = {
            "version": MANIFEST_VERSION,
            "kind": "manifest",
            "name": self.name,
            "size": self.size,
            "seed": self.seed,
            "drawing": self.drawing,
            "counts": self.counts,
            "sha256": self.sha256,
            "files": self.files,
            "groups": [group._asdict() for group in self.groups],
        }
        return json.dumps(body, indent=1) + "\n"


def identity(checksums: Mapping[str, str]) -> str:
    """The checksum of a whole data set.

    Args:
        checksums: of each file, relative path to whole SHA-256 in hexadecimal.

    Returns:
        SHA-256, hexadecimal, of the lines "<path> <sha256>" in the order of the paths' bytes.
    """
    lines = sorted(f"{path} {checksum}\n".encode() for path, checksum in checksums.items())
    return hashlib.sha256(b"".join(lines)).hexdigest()


def _inside(path: str) -> str:
    """A relative path that stays inside the data folder, as it was given."""
    if "\\" in path or ":" in path or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"{path[:80]!a} leads out of the data folder")
    return path


def _parsed(body: Any) -> Manifest:
    if body["version"] != MANIFEST_VERSION or body["kind"] != "manifest":
        raise ValueError(f"version {body['version']}")
    groups = tuple(Group(_inside(str(group["folder"])), str(group["prefix"]), str(group["checksums"])) for group in body["groups"])
    counts = {str(split): int(count) for split, count in body["counts"].items()}
    files = {_inside(str(path)): str(checksum) for path, checksum in body["files"].items()}
    for group in groups:
        _inside(group.prefix + "0")
    for checksum in files.values():
        short(checksum)
    return Manifest(
        str(body["name"]), str(body["size"]), int(body["seed"]), int(body["drawing"]), counts, str(body["sha256"]), groups, files
    )


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a data folder.

    Args:
        folder: of the data set.

    Returns:
        The manifest, or None where there is none.

    Raises:
        DataError: there is one, but it is cut short, changed or of another version.
    """
    path = folder / MANIFEST_FILE
    try:
        return _parsed(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise DataError(
            f"{path} cannot be read as a manifest of version {MANIFEST_VERSION} ({type(problem).__name__}): "
            "delete this one file and make the data set again; what is whole is kept."
        ) from problem
