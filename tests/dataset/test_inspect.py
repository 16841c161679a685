"""Inspecting a data folder: what it is, and each broken thing by its name; with a manifest and without."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from grader.dataset.inspect import DatasetInfo, inspect
from grader.dataset.layout import class_ids
from grader.dataset.look import is_grey, picture_fault
from grader.dataset.make import make_dataset
from grader.dataset.manifest import MANIFEST_FILE
from grader.errors import DataError

from .conftest import TINY

FIRST = class_ids()[0]
PICTURE = f"train/{FIRST}/images/{FIRST}_1.JPEG"
BOXES = f"train/{FIRST}/{FIRST}_boxes.txt"
ANNOTATIONS = "val/val_annotations.txt"


def _faults(folder: Path, *, full: bool = True) -> list[str]:
    return [str(fault) for fault in inspect(folder, full=full).faults]


def _without_manifest(folder: Path) -> Path:
    (folder / MANIFEST_FILE).unlink()
    return folder


def _jpeg(width: int, height: int, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (width, height)).save(buffer, "JPEG")
    return buffer.getvalue()


def _real_like(tiny: Path) -> Path:
    """A folder that looks like a part of the real set: ids in WordNet's range, no manifest."""
    _without_manifest(tiny)
    renamed = {wnid: f"n0{number:07d}" for number, wnid in enumerate(class_ids())}
    for wnid, real in renamed.items():
        folder = tiny / "train" / wnid
        for picture in (folder / "images").iterdir():
            picture.rename(picture.with_name(picture.name.replace(wnid, real)))
        boxes = folder / f"{wnid}_boxes.txt"
        boxes.write_text(boxes.read_text().replace(wnid, real))
        boxes.rename(folder / f"{real}_boxes.txt")
        folder.rename(tiny / "train" / real)
    for name in ("wnids.txt", "words.txt", ANNOTATIONS):
        text = (tiny / name).read_text()
        for wnid, real in renamed.items():
            text = text.replace(wnid, real)
        (tiny / name).write_text(text)
    return tiny


@pytest.mark.parametrize("full", [True, False])
def test_a_whole_set(tiny: Path, full: bool) -> None:
    """A whole set has its name, counts, seed and label facts, and no faults; greyscale pictures are counted in full mode."""
    seen: list[tuple[int, int]] = []
    info = inspect(tiny, full=full, progress=lambda done, total: seen.append((done, total)))
    assert info.faults == ()
    assert info.whole
    assert info.name == "embedded-tiny"
    assert info.counts == {"train": 400, "val": 200, "test": 200}
    assert (info.seed, info.full) == (0, full)
    assert info.labels.classes == 200
    assert not info.labels.is_sorted
    assert info.labels.words == 1920
    assert info.labels.first == FIRST
    grey = sum(is_grey(path.read_bytes()) for path in tiny.rglob("*.JPEG"))
    assert grey > 0
    assert info.grey == (grey if full else None)
    assert seen[-1][0] == seen[-1][1] >= 800


def test_a_folder_that_is_not_there() -> None:
    """No folder is an error that says how to make one."""
    with pytest.raises(DataError, match="make it with `lab data make small`"):
        inspect("nowhere")


def test_an_empty_folder_is_a_list_of_faults(tmp_path: Path) -> None:
    """A folder with nothing in it names each thing that is missing, and nothing is raised."""
    info = inspect(tmp_path)
    assert info.name == "unknown"
    assert {fault.path for fault in info.faults} == {"wnids.txt", "words.txt", "train", "val/images", "test/images"}


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("manifest", [True, False])
@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (b"", "the file is empty"),
        (b"<html>not found</html>", "the file is no JPEG"),
        (-40, "cut short"),
    ],
)
def test_a_damaged_picture_is_named(tiny: Path, full: bool, manifest: bool, damage: bytes | int, expected: str) -> None:
    """An empty, foreign or truncated picture is named in both modes, with and without a manifest."""
    path = tiny / PICTURE
    path.write_bytes(path.read_bytes()[:damage] if isinstance(damage, int) else damage)
    if not manifest:
        _without_manifest(tiny)
    found = [fault for fault in inspect(tiny, full=full).faults if fault.path == PICTURE]
    assert len(found) == 1
    assert expected in found[0].what


def test_a_changed_picture_is_named(tiny: Path) -> None:
    """Another whole picture in its place: only the manifest can tell, and only when the pictures are read."""
    (tiny / PICTURE).write_bytes(_jpeg(64, 64))
    assert _faults(tiny) == [f"{PICTURE}: the content is not what was made"]
    assert _faults(tiny, full=False) == []


def test_damage_in_the_middle_is_found(tiny: Path) -> None:
    """A single flipped bit in a picture is found in full mode."""
    content = bytearray((tiny / PICTURE).read_bytes())
    content[len(content) // 2] ^= 1
    (tiny / PICTURE).write_bytes(content)
    assert [fault.path for fault in inspect(tiny, full=True).faults] == [PICTURE]


def test_a_picture_of_another_size_is_named(tiny: Path) -> None:
    """Pixels other than 64 by 64 are named with both sizes."""
    _without_manifest(tiny)
    (tiny / PICTURE).write_bytes(_jpeg(80, 60))
    assert f"{PICTURE}: expected 64 by 64 pixels, found 80 by 60" in _faults(tiny)


def test_a_header_that_promises_too_much_is_not_decoded() -> None:
    """A header of 65,500 by 65,500 pixels is refused by its size alone, without 12 GB of pixels."""
    content = bytearray(_jpeg(64, 64))
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = (65500).to_bytes(2, "big") * 2
    fault = picture_fault(bytes(content))
    assert fault is not None
    assert "65500" in fault or "cannot be decoded" in fault


@pytest.mark.parametrize("manifest", [True, False])
def test_a_missing_picture_is_named(tiny: Path, manifest: bool) -> None:
    """A deleted picture is named; without a manifest, by the annotation that it has left behind."""
    (tiny / PICTURE).unlink()
    (tiny / "val" / "images" / "val_3.JPEG").unlink()
    if manifest:
        assert _faults(tiny, full=False) == [f"{PICTURE}: the file is missing", "val/images/val_3.JPEG: the file is missing"]
        assert inspect(tiny).name == "part of embedded-tiny"
    else:
        faults = _faults(_without_manifest(tiny), full=False)
        assert f"{BOXES}: {FIRST}_1.JPEG has a line but no picture" in faults
        assert f"{ANNOTATIONS}: val_3.JPEG has a line but no picture" in faults


@pytest.mark.parametrize("manifest", [True, False])
def test_a_missing_class_folder_is_named_once(tiny: Path, manifest: bool) -> None:
    """A class folder that is gone is one fault for the folder, not one for each picture."""
    shutil.rmtree(tiny / "train" / FIRST)
    if not manifest:
        _without_manifest(tiny)
    faults = [fault for fault in _faults(tiny) if FIRST in fault and "folder is missing" in fault]
    assert len(faults) == 1
    assert "class folder is missing" in faults[0]
    assert not any(f"{FIRST}_1.JPEG" in fault for fault in _faults(tiny))


def test_half_a_data_set(tiny: Path) -> None:
    """With half of the class folders gone, each of them is named, and the set is called a part."""
    for wnid in class_ids()[100:]:
        shutil.rmtree(tiny / "train" / wnid)
    info = inspect(tiny)
    assert info.name == "part of embedded-tiny"
    assert info.counts["train"] == 200
    named = {fault.path.split("/")[1] for fault in info.faults if "class folder is missing" in fault.what}
    assert named == set(class_ids()[100:])


def test_a_set_that_was_not_made_to_its_end(tmp_path: Path) -> None:
    """A run that was interrupted leaves a folder that says so."""

    def stop(done: int, total: int) -> None:
        if done >= 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_dataset(tmp_path / "set", TINY, workers=1, progress=stop)
    info = inspect(tmp_path / "set")
    assert not info.whole
    assert any(fault.path == "wnids.txt" for fault in info.faults)


@pytest.mark.parametrize("path", [BOXES, ANNOTATIONS, "wnids.txt", "words.txt"])
@pytest.mark.parametrize("manifest", [True, False])
def test_a_missing_text_file_is_named(tiny: Path, path: str, manifest: bool) -> None:
    """Each annotation and label file that is gone is named."""
    (tiny / path).unlink()
    if not manifest:
        _without_manifest(tiny)
    assert f"{path}: the file is missing" in _faults(tiny, full=False)


@pytest.mark.parametrize("manifest", [True, False])
def test_a_picture_without_annotation(tiny: Path, manifest: bool) -> None:
    """A picture whose line was deleted is named in the annotation file."""
    path = tiny / ANNOTATIONS
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if not line.startswith("val_5.JPEG")))
    if not manifest:
        _without_manifest(tiny)
    assert f"{ANNOTATIONS}: val_5.JPEG has a picture but no line" in _faults(tiny, full=False)


@pytest.mark.parametrize("manifest", [True, False])
def test_wrong_ids_are_named(tiny: Path, manifest: bool) -> None:
    """An id in the annotations that is no class, a double id and a malformed one are each named."""
    path = tiny / ANNOTATIONS
    lines = path.read_text().splitlines()
    lines[0] = lines[0].replace(lines[0].split("\t")[1], "n11111111")
    path.write_text("\n".join(lines) + "\n")
    ids = list(class_ids())
    ids[3], ids[4] = ids[5], "cat"
    (tiny / "wnids.txt").write_text("\n".join(ids) + "\n")
    if not manifest:
        _without_manifest(tiny)
    faults = _faults(tiny, full=False)
    assert f"{ANNOTATIONS}: the id 'n11111111' is not in wnids.txt (1 lines)" in faults
    assert f"wnids.txt: the id {ids[5]!r} stands there 2 times" in faults
    assert "wnids.txt: 'cat' is no id: expected n and eight digits" in faults


def test_malformed_lines_are_numbered(tiny: Path) -> None:
    """A line with too few fields, letters for numbers, a box outside the picture, or a file named twice is given by its number."""
    path = tiny / ANNOTATIONS
    lines = path.read_text().splitlines()
    lines[0] = "val_0.JPEG"
    lines[1] = "\t".join([*lines[1].split("\t")[:2], "a", "b", "c", "d"])
    lines[2] = "\t".join([*lines[2].split("\t")[:2], "5", "5", "900", "9"])
    lines[4] = lines[3]
    path.write_text("\n".join(lines) + "\n")
    faults = _faults(tiny, full=False)
    assert f"{ANNOTATIONS}: line 1 is not a file name, an id and four numbers, tab separated" in faults
    assert f"{ANNOTATIONS}: line 2 is not a file name, an id and four numbers, tab separated" in faults
    assert f"{ANNOTATIONS}: line 3 has a box outside the picture" in faults
    assert f"{ANNOTATIONS}: line 5 names val_3.JPEG a second time" in faults


def test_text_that_is_not_text(tiny: Path) -> None:
    """Bytes that are no UTF-8 in a text file are a fault, not an exception."""
    (tiny / "words.txt").write_bytes(b"\xff\xfe\x00")
    assert "words.txt: the file is not UTF-8 text" in _faults(_without_manifest(tiny), full=False)


def test_a_picture_too_many(tiny: Path) -> None:
    """A picture that the manifest does not know is named."""
    shutil.copy(tiny / PICTURE, tiny / "val" / "images" / "val_9999.JPEG")
    assert _faults(tiny) == ["val/images/val_9999.JPEG: a picture that is no part of the data set"]


def test_a_forged_manifest_is_found(tiny: Path) -> None:
    """A manifest whose identity is not that of the files is named in full mode."""
    body = json.loads((tiny / MANIFEST_FILE).read_text())
    body["sha256"] = "0" * 64
    (tiny / MANIFEST_FILE).write_text(json.dumps(body))
    assert _faults(tiny) == ["manifest.json: its checksum over the whole set is not that of the files"]


@pytest.mark.parametrize("path", ["../../evil", "/dev/zero", "a//b", "C:/x", "..", ""])
def test_a_manifest_that_leads_out_of_the_folder(tiny: Path, path: str) -> None:
    """A manifest may come with the folder from anywhere: paths that leave the folder are not followed."""
    manifest = json.loads((tiny / MANIFEST_FILE).read_text())
    manifest["files"][path] = "0" * 64
    (tiny / MANIFEST_FILE).write_text(json.dumps(manifest))
    assert _faults(tiny) == ["manifest.json: the file cannot be read as a manifest"]
    del manifest["files"][path]
    manifest["groups"][0]["folder"] = path
    (tiny / MANIFEST_FILE).write_text(json.dumps(manifest))
    assert _faults(tiny) == ["manifest.json: the file cannot be read as a manifest"]


def test_a_damaged_manifest_is_named(tiny: Path) -> None:
    """A manifest that cannot be read is one fault; the rest is inspected without it."""
    (tiny / MANIFEST_FILE).write_text("{")
    info = inspect(tiny)
    assert [fault.path for fault in info.faults] == ["manifest.json"]
    assert info.counts["train"] == 400


def test_a_part_of_the_real_set(tiny: Path) -> None:
    """Ids in WordNet's range are taken for the real set: what is there is well formed, and too few pictures are counted by folder."""
    info = inspect(_real_like(tiny), full=True)
    assert info.name == "part of tiny-imagenet-200"
    assert info.manifest_sha256 is None
    assert info.grey is not None
    expected = {"expected 500 pictures, found 2", "expected 10000 pictures, found 200"}
    assert {fault.what for fault in info.faults} == expected
    assert len(info.faults) == 202


def test_the_whole_real_set_by_its_counts(monkeypatch: pytest.MonkeyPatch, tiny: Path) -> None:
    """With the real set's counts in place of 500 and 10,000, the same folder is called whole by its real name."""
    monkeypatch.setattr("grader.dataset.inspect.REAL_TRAIN", 2)
    monkeypatch.setattr("grader.dataset.inspect.REAL_COUNTS", {"train": 400, "val": 200, "test": 200})
    info = inspect(_real_like(tiny), full=True)
    assert isinstance(info, DatasetInfo)
    assert info.name == "tiny-imagenet-200"
    assert info.whole


def test_greyscale_is_told_by_the_header() -> None:
    """`is_grey` agrees with Pillow for one and three channels, and takes noise for neither."""
    assert is_grey(_jpeg(64, 64, "L"))
    assert not is_grey(_jpeg(64, 64))
    noise = np.random.default_rng(0).integers(0, 256, (200, 64), dtype=np.uint8)
    assert not any(is_grey(b"\xff\xd8" + row.tobytes()) for row in noise)
