"""Making a data set: the same everywhere, continued after any interruption, refused where it would do harm."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from grader.dataset import chunks
from grader.dataset.draw import draw
from grader.dataset.layout import Size, class_ids, decode, encode, sha256_of
from grader.dataset.make import held_out, make_dataset
from grader.dataset.manifest import MANIFEST_FILE, identity, read_manifest
from grader.errors import DataError
from grader.lab import CLASSES

from .conftest import TINY

TINY_SHA256 = "1f28b1fdbd78e1482f2bf234c6fdec8f4a06eaba161859d88d0e77813bb45354"
POOLED = Size("pooled", 5, 1, 1)


def _tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _times(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_manifest_is_the_expected_one(tiny: Path) -> None:
    """The set's identity is that of every other machine, and is the checksum over what lies on disk."""
    manifest = read_manifest(tiny)
    assert manifest is not None
    assert manifest.sha256 == TINY_SHA256
    contents = {path: sha256_of(content) for path, content in _tree(tiny).items() if path != MANIFEST_FILE}
    assert identity(contents) == TINY_SHA256
    assert manifest.counts == {"train": 400, "val": 200, "test": 200}
    assert {path for path, _ in manifest.paths()} == set(contents)


def test_several_processes_make_the_same_set(tmp_path: Path) -> None:
    """Spawned workers and this process alone write the same bytes, and progress ends at the whole."""
    seen: list[tuple[int, int]] = []
    one = make_dataset(tmp_path / "one", POOLED, workers=1)
    two = make_dataset(tmp_path / "two", POOLED, workers=2, progress=lambda done, total: seen.append((done, total)))
    assert one == two
    assert _tree(tmp_path / "one") == _tree(tmp_path / "two")
    assert seen[0] == (0, 1400)
    assert seen[-1] == (1400, 1400)
    assert seen == sorted(seen)


def test_another_seed_gives_other_pictures_of_the_same_classes(tmp_path: Path, tiny: Path) -> None:
    """The seed changes every picture and the manifest, and leaves wnids.txt and words.txt alone."""
    other = make_dataset(tmp_path / "other", TINY, seed=1)
    assert other.sha256 != TINY_SHA256
    assert (tmp_path / "other" / "wnids.txt").read_bytes() == (tiny / "wnids.txt").read_bytes()
    one, two = _tree(tiny), _tree(tmp_path / "other")
    assert not any(one[path] == two[path] for path in one if path.endswith(".JPEG"))


def test_what_is_done_is_skipped(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole set is left as it is: nothing is drawn, nothing is written, and progress says that all is done."""

    def never(*arguments: object) -> None:
        raise AssertionError("a picture was drawn")

    monkeypatch.setattr(chunks, "draw", never)
    before, seen = _times(tiny), list[tuple[int, int]]()
    assert make_dataset(tiny, TINY, progress=lambda done, total: seen.append((done, total))).sha256 == TINY_SHA256
    assert _times(tiny) == before
    assert seen == [(800, 800)]


def test_a_missing_picture_is_made_again_and_nothing_else(tiny: Path) -> None:
    """After a file was deleted, the set is made whole without rewriting the other pictures."""
    lost = tiny / "val" / "images" / "val_7.JPEG"
    content = lost.read_bytes()
    lost.unlink()
    before = _times(tiny)
    assert make_dataset(tiny, TINY).sha256 == TINY_SHA256
    after = _times(tiny)
    assert lost.read_bytes() == content
    assert {path for path in before if after[path] != before[path] and path.endswith(".JPEG")} == set()
    assert not (tiny / ".making").exists()


def test_an_interrupted_run_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C in the middle, the next run draws only the chunks that were not finished, and ends with the same set."""
    folder, drawn = tmp_path / "set", []

    def interrupted(*arguments: object) -> object:
        if len(drawn) == 101:
            raise KeyboardInterrupt
        drawn.append(arguments)
        return draw(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(chunks, "draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_dataset(folder, TINY, workers=1)
    assert not (folder / MANIFEST_FILE).exists()
    first = len(drawn)
    monkeypatch.setattr(chunks, "draw", lambda *arguments: drawn.append(arguments) or draw(*arguments))
    assert make_dataset(folder, TINY, workers=1).sha256 == TINY_SHA256
    assert first == 101
    assert len(drawn) - first == TINY.images - 100


def test_half_a_file_is_never_taken_for_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that dies while it writes leaves the name of the file free, or an older whole file behind it."""
    folder, write = tmp_path / "set", Path.write_bytes

    def dying(path: Path, content: bytes) -> int:
        if content.startswith(b"\xff\xd8"):
            write(path, content[:100])
            raise KeyboardInterrupt
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", dying)
    with pytest.raises(KeyboardInterrupt):
        make_dataset(folder, TINY, workers=1)
    assert not list(folder.rglob("*.JPEG"))
    monkeypatch.undo()
    assert make_dataset(folder, TINY, workers=1).sha256 == TINY_SHA256
    assert not list(folder.rglob("*.part"))


def test_two_runs_at_once_do_no_harm(tmp_path: Path) -> None:
    """Two runs that make the same set in the same folder end with the same whole set, and neither fails."""
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: make_dataset(tmp_path / "set", TINY, workers=1).sha256, range(2)))
    assert both == [TINY_SHA256] * 2
    contents = {path: sha256_of(content) for path, content in _tree(tmp_path / "set").items() if path != MANIFEST_FILE}
    assert identity(contents) == TINY_SHA256


@pytest.mark.parametrize("from_file", [True, False])
def test_an_unguarded_script_may_call_it(tmp_path: Path, from_file: bool) -> None:
    """A script without `if __name__ == "__main__"`, from a file or from standard input, is not run again by the workers."""
    script = (
        "from grader.dataset.layout import Size; from grader.dataset.make import make_dataset\n"
        f"print(make_dataset({str(tmp_path / 'set')!r}, Size(*{tuple(POOLED)!r}), workers=2).counts['train'])\n"
    )
    file = tmp_path / "script.py"
    file.write_text(script)
    arguments = [sys.executable, str(file)] if from_file else [sys.executable]
    done = subprocess.run(arguments, input="" if from_file else script, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1000\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_run_is_continued_and_leaves_no_process(tmp_path: Path) -> None:
    """SIGKILL of the parent in the middle: its workers end by themselves, and the next run makes the same set."""
    folder = tmp_path / "set"
    size = Size("killed", 14, 1, 1)
    script = (
        "import sys; from grader.dataset.layout import Size; from grader.dataset.make import make_dataset\n"
        f"make_dataset({str(folder)!r}, Size(*{tuple(size)!r}), workers=2, progress=lambda done, total: print(done, flush=True))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    while int(process.stdout.readline()) < 200:
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    assert not (folder / MANIFEST_FILE).exists()
    deadline = time.monotonic() + 60
    while _group_lives(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _group_lives(process.pid)
    for path in folder.rglob("*.JPEG"):
        assert decode(path.read_bytes()).shape == (64, 64, 3)
    done: list[int] = []
    manifest = make_dataset(folder, size, progress=lambda now, total: done.append(now))
    assert done[0] >= 200
    contents = {path: sha256_of(content) for path, content in _tree(folder).items() if path != MANIFEST_FILE}
    assert identity(contents) == manifest.sha256


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_ends_quietly(tmp_path: Path) -> None:
    """SIGINT to the whole group, as a terminal sends it: the workers print no traceback, and the parent sees KeyboardInterrupt."""
    script = (
        "import sys; from grader.dataset.layout import Size; from grader.dataset.make import make_dataset\n"
        "def show(done, total):\n    print(done, flush=True)\n"
        "try:\n"
        f"    make_dataset({str(tmp_path / 'set')!r}, Size('stopped', 60, 1, 1), workers=2, progress=show)\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(7)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    while int(process.stdout.readline()) < 200:
        pass
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 7
    assert errors == ""


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No space left: one sentence with how far it came and what to do; what was made stays, and the next run continues."""
    folder, written, write = tmp_path / "set", [], Path.write_bytes

    def filling(path: Path, content: bytes) -> int:
        written.append(path)
        if len(written) > 300:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", filling)
    with pytest.raises(DataError, match=r"is full after \d+ of 800 pictures: expected about \d+ MB more; what was made is kept"):
        make_dataset(folder, TINY, workers=1)
    kept = len(list(folder.rglob("*.JPEG")))
    assert kept > 50
    monkeypatch.undo()
    assert make_dataset(folder, TINY, workers=1).sha256 == TINY_SHA256


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """A file where the folder should be: a sentence that says what is expected, no traceback of the system's."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="expected a folder that can be written"):
        make_dataset(tmp_path / "file" / "set", TINY)


def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    """A folder with other files (a real Tiny ImageNet, say) is not written into."""
    (tmp_path / "wnids.txt").write_text("n01443537\n")
    with pytest.raises(DataError, match="expected an empty or new folder"):
        make_dataset(tmp_path, TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["wnids.txt"]


def test_another_set_in_the_folder_is_refused(tiny: Path, tmp_path: Path) -> None:
    """Another size or seed in a folder, finished or begun, is named and left alone."""
    with pytest.raises(DataError, match="holds embedded-tiny with seed 0"):
        make_dataset(tiny, TINY, seed=1)
    begun = tmp_path / "begun"
    (begun / ".making").mkdir(parents=True)
    (begun / ".making" / "set.json").write_text(json.dumps({"version": 1, "size": ["small", 25, 5, 1], "seed": 0, "drawing": 1}))
    with pytest.raises(DataError, match="beginnings of another data set"):
        make_dataset(begun, TINY)


def test_an_unknown_size_is_refused(tmp_path: Path) -> None:
    """The sizes there are stand in the message."""
    with pytest.raises(DataError, match=r"expected one of small, full, received 'huge'"):
        make_dataset(tmp_path / "set", "huge")


@pytest.mark.parametrize("damage", ["{", '{"version": 99}', "[]", '{"version": 1, "kind": "manifest"}'])
def test_a_damaged_manifest_is_named(tiny: Path, damage: str) -> None:
    """A manifest that cannot be read is an error that says which file to delete; following it mends the set."""
    (tiny / MANIFEST_FILE).write_text(damage)
    with pytest.raises(DataError, match="delete this one file"):
        make_dataset(tiny, TINY)
    (tiny / MANIFEST_FILE).unlink()
    assert make_dataset(tiny, TINY).sha256 == TINY_SHA256


def test_held_out_pictures_are_balanced_and_of_their_class() -> None:
    """200 pictures hold each class once, in mixed order, and are the drawn pictures after JPEG."""
    images, labels = held_out(b"secret", 200)
    assert images.shape == (200, 64, 64, 3)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int64
    assert sorted(labels.tolist()) == list(range(CLASSES))
    assert labels.tolist() != sorted(labels.tolist())
    for n in (0, 50, 199):
        expected = decode(encode(draw(b"secret", "held-out", int(labels[n]), 0)))
        assert images[n].tobytes() == expected.tobytes()


def test_held_out_belongs_to_the_seed() -> None:
    """The same seed gives the same pictures; another gives others, in another order."""
    images, labels = held_out(b"a", 30)
    again, same = held_out(b"a", 30)
    other, others = held_out(b"b", 30)
    assert images.tobytes() == again.tobytes()
    assert labels.tolist() == same.tolist()
    assert images.tobytes() != other.tobytes()
    assert labels.tolist() != others.tolist()
    assert len(set(labels.tolist())) == 30


def test_held_out_counts() -> None:
    """450 pictures hold each class two or three times; none is an empty set; a negative number is refused."""
    _, labels = held_out(b"x", 450)
    assert set(np.bincount(labels, minlength=CLASSES).tolist()) == {2, 3}
    assert held_out(b"x", 0)[0].shape == (0, 64, 64, 3)
    with pytest.raises(ValueError, match="count=-1"):
        held_out(b"x", -1)


def test_held_out_labels_are_lines_of_wnids(tiny: Path) -> None:
    """A label indexes wnids.txt: the annotated validation picture of that id is of the same class."""
    rows = [line.split("\t") for line in (tiny / "val" / "val_annotations.txt").read_text().splitlines()]
    index = class_ids().index(rows[0][1])
    assert (tiny / "val" / "images" / rows[0][0]).read_bytes() == encode(draw(0, "val", index, 0))


def test_the_documentation_states_the_small_sets_identity(tmp_path: Path) -> None:
    """The checksum in docs/data.md is the one that a run on this machine ends with."""
    manifest = make_dataset(tmp_path / "small", "small")
    documentation = Path(__file__).parents[2] / "docs" / "data.md"
    row = next(line for line in documentation.read_text(encoding="utf-8").splitlines() if line.startswith("| small |"))
    assert f"`{manifest.sha256}`" in row
    assert "25 / 5 / 1 | 6,200" in row
    assert manifest.counts == {"train": 5000, "val": 1000, "test": 200}
