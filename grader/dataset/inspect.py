"""Says what a data folder holds, whether it is whole, and which things in it are broken, each by name.

It knows embedded sets, which have a manifest, and the real Tiny ImageNet, which has none. What it finds is data: a damaged folder ends in a
list of faults, not in an error.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from grader.dataset.layout import class_ids
from grader.dataset.look import Look, look_at
from grader.dataset.manifest import MANIFEST_FILE, Manifest, identity, read_manifest
from grader.dataset.scan import Fault, LabelFacts, Scan, scan
from grader.errors import DataError
from grader.lab import CLASSES

REAL_NAME: Final = "tiny-imagenet-200"
REAL_TRAIN: Final = 500
REAL_COUNTS: Final = {"train": CLASSES * REAL_TRAIN, "val": CLASSES * 50, "test": CLASSES * 50}

_LAST_WORDNET_ID: Final = "n16000000"
"""Above every id of WordNet 3.0, of which the real set's 200 are a part, and below every made-up one."""


class DatasetInfo(NamedTuple):
    """What a data folder holds.

    Attributes:
        name: "embedded-small", "embedded-full", "tiny-imagenet-200", "part of ..." one of them, or "unknown".
        counts: JPEGs found in "train", "val" and "test".
        grey: greyscale JPEGs found in all splits, or None in quick mode.
        labels: what wnids.txt and words.txt say.
        seed: of an embedded set, else None.
        manifest_sha256: the identity of an embedded set, as its manifest states it, else None.
        full: whether every picture was read, not only its ends.
        faults: each broken thing, in order of path.
    """

    name: str
    counts: dict[str, int]
    grey: int | None
    labels: LabelFacts
    seed: int | None
    manifest_sha256: str | None
    full: bool
    faults: tuple[Fault, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing is broken, as far as was looked."""
        return not self.faults


def _against_manifest(folder: Path, manifest: Manifest, found: Scan, looks: list[Look], full: bool) -> list[Fault]:
    """The faults of an embedded set: what its manifest names and the folder has not, or has otherwise."""
    faults: list[Fault] = []
    gone = {group.folder: group.pictures for group in manifest.groups if group.pictures and not (folder / group.folder).is_dir()}
    for path, pictures in gone.items():
        faults.append(Fault(path, f"the {'class ' * path.startswith('train/')}folder is missing, with {pictures} pictures"))
    changed: set[str] = set()
    for look in looks:
        if look.what is None or look.path.rpartition("/")[0] in gone:
            continue
        if look.path.endswith(".JPEG") or look.what == "the file is missing":
            faults.append(Fault(look.path, look.what))
        else:
            changed.add(look.path)
    # A text file that differs: better what is wrong in it than that it differs.
    explained = [fault for fault in found.faults if fault.path in changed]
    faults.extend(explained)
    unexplained = changed.difference(fault.path for fault in explained)
    faults.extend(Fault(path, "the content is not what was made") for path in unexplained)
    known = {look.path for look in looks}
    extra = sorted(path for paths in found.pictures.values() for path in paths if path not in known)
    faults.extend(Fault(path, "a picture that is no part of the data set") for path in extra)
    faults.extend(fault for fault in found.faults if fault.what == "a class that is not in wnids.txt" and not changed)
    if full and not faults and identity({look.path: look.sha256 for look in looks}) != manifest.sha256:
        faults.append(Fault(MANIFEST_FILE, "its checksum over the whole set is not that of the files"))
    return faults


def _without_manifest(found: Scan) -> tuple[str, list[Fault]]:
    """The name of a folder that has no manifest, and the faults that follow from what it should be."""
    if found.ids and set(found.ids) <= set(class_ids()):
        return "part of an embedded set", [Fault(MANIFEST_FILE, "the file is missing: the data set was not made to its end")]
    is_real = len(found.ids) == CLASSES and all(wnid < _LAST_WORDNET_ID for wnid in found.ids)
    if not is_real:
        return "unknown", []
    faults = [
        Fault(f"train/{wnid}/images", f"expected {REAL_TRAIN} pictures, found {count}")
        for wnid, count in found.per_class.items()
        if count != REAL_TRAIN
    ]
    for split in ("val", "test"):
        count = len(found.pictures[split])
        if count != REAL_COUNTS[split]:
            faults.append(Fault(f"{split}/images", f"expected {REAL_COUNTS[split]} pictures, found {count}"))
    whole = {split: len(paths) for split, paths in found.pictures.items()} == REAL_COUNTS
    return REAL_NAME if whole else f"part of {REAL_NAME}", faults


def inspect(folder: Path | str, *, full: bool = False, progress: Callable[[int, int], object] | None = None) -> DatasetInfo:
    """Says what a data folder holds and what in it is broken.

    Args:
        folder: of the data set.
        full: read every picture, and compare it with the manifest's checksum, or decode it where there is no manifest. In quick mode only
            a picture's two ends are read; the text files are still compared whole.
        progress: called with (files looked at, files in all).

    Returns:
        What was found.

    Raises:
        DataError: there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"There is no data folder {folder}: make it with `lab data make small`, or name another folder.")
    found = scan(folder)
    faults: list[Fault] = []
    try:
        manifest = read_manifest(folder)
    except DataError:
        manifest = None
        faults.append(Fault(MANIFEST_FILE, "the file cannot be read as a manifest"))
    wanted: list[tuple[str, str | None]]
    if manifest is not None:
        wanted = list(manifest.paths())
        looks = look_at(folder, wanted, full=full, progress=progress)
        faults.extend(_against_manifest(folder, manifest, found, looks, full))
        name = manifest.name
    else:
        wanted = [(path, None) for paths in found.pictures.values() for path in paths]
        looks = look_at(folder, wanted, full=full, progress=progress)
        name, more = _without_manifest(found)
        already = {fault.path for fault in faults}
        faults.extend(fault for fault in more if fault.path not in already)
        faults.extend(found.faults)
        faults.extend(Fault(look.path, look.what) for look in looks if look.what is not None)
    grey = sum(look.grey for look in looks)
    return DatasetInfo(
        name=name if not (faults and manifest) else f"part of {name}" if _lacks(faults) else name,
        counts={split: len(paths) for split, paths in found.pictures.items()},
        grey=grey if full else None,
        labels=found.labels,
        seed=manifest.seed if manifest else None,
        manifest_sha256=manifest.sha256 if manifest else None,
        full=full,
        faults=tuple(sorted(set(faults))),
    )


def _lacks(faults: list[Fault]) -> bool:
    """Whether pictures are missing, rather than damaged."""
    return any(fault.path.rpartition("/")[0].endswith("images") and fault.what == "the file is missing" for fault in faults) or any(
        "folder is missing" in fault.what for fault in faults
    )
