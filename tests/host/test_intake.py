"""Which files of a submission are taken, and what hostile folders and archives come to."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.errors import SubmissionError
from grader.host import intake
from grader.host.intake import take

MODULE = b"x = 1\n"


def taken(path: Path) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The taken files with their content, and the notes."""
    with take(path) as submission:
        files = {
            file.relative_to(submission.folder).as_posix(): file.read_bytes() for file in submission.folder.rglob("*") if file.is_file()
        }
        assert not [file for file in submission.folder.rglob("*") if file.is_symlink()]
        folder = submission.folder
    assert not folder.exists()
    return files, submission.notes


def archive(path: Path, members: dict[str, bytes]) -> Path:
    """A zip with these members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return path


def test_folder_gives_the_expected_files_only(tmp_path: Path) -> None:
    """Modules, findings and results are taken; a conftest, a pytest.ini, a shadow module and compiled code are reported and stay behind."""
    for name in ("training.py", "findings.toml", "results/timings.json", "results/trace/0.xplane.pb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    for name in ("conftest.py", "pytest.ini", "numpy.py", "sitecustomize.py", "a.pth", "results/evil.pkl", "results/trace/x.txt"):
        (tmp_path / name).write_bytes(b"1")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "training.cpython-311.pyc").write_bytes(b"1")
    files, notes = taken(tmp_path)
    assert sorted(files) == ["findings.toml", "results/timings.json", "results/trace/0.xplane.pb", "training.py"]
    (note,) = notes
    assert "not taken: a.pth, conftest.py, numpy.py and 4 more" in note


def test_zip_with_a_folder_inside_is_the_same_submission(tmp_path: Path) -> None:
    """A folder, its zip, and a zip of the folder around it have one digest."""
    folder = tmp_path / "assignment"
    folder.mkdir()
    (folder / "training.py").write_bytes(MODULE)
    flat = archive(tmp_path / "flat.zip", {"training.py": MODULE})
    nested = archive(tmp_path / "nested.zip", {"my work/": b"", "my work/training.py": MODULE, "__MACOSX/my work/._training.py": b"?"})
    digests = []
    for path in (folder, flat, nested):
        with take(path) as submission:
            digests.append(submission.digest)
            assert (submission.folder / "training.py").read_bytes() == MODULE
    assert len(set(digests)) == 1
    with take(archive(tmp_path / "other.zip", {"training.py": MODULE + b"#"})) as submission:
        assert submission.digest not in digests


def test_traversal_never_leaves_the_folder(tmp_path: Path) -> None:
    """Names that climb out, absolute names and drive letters are not taken."""
    names = ["../training.py", "a/../../training.py", "/training.py", "C:/training.py", "..\\training.py", "a/b/c/d/e/training.py"]
    path = archive(tmp_path / "evil.zip", {**dict.fromkeys(names, b"evil"), "training.py": MODULE})
    before = sorted(tmp_path.parent.rglob("*"))
    files, _ = taken(path)
    assert files == {"training.py": MODULE}
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A link to another file, in a folder or in a zip, is left out and reported."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "model.py").write_bytes(MODULE)
    (folder / "training.py").symlink_to(secret)
    (folder / "results").symlink_to(tmp_path)
    files, notes = taken(folder)
    assert files == {"model.py": MODULE}
    assert any("training.py was left out: it is a link" in note for note in notes)
    link = zipfile.ZipInfo("training.py")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as made:
        made.writestr(link, str(secret))
        made.writestr("model.py", MODULE)
    files, notes = taken(tmp_path / "link.zip")
    assert files == {"model.py": MODULE}
    assert any("it is a link" in note for note in notes)


def test_pipes_and_unreadable_files_do_not_hang(tmp_path: Path) -> None:
    """A named pipe in the place of a module is left out at once."""
    (tmp_path / "model.py").write_bytes(MODULE)
    os.mkfifo(tmp_path / "training.py")
    files, notes = taken(tmp_path)
    assert files == {"model.py": MODULE}
    assert any("not a plain file" in note for note in notes)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicates_are_refused(tmp_path: Path) -> None:
    """A name that a zip holds twice is taken in neither form."""
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as made:
        made.writestr("model.py", MODULE)
        made.writestr("training.py", b"harmless")
        made.writestr("training.py", b"evil")
    files, notes = taken(tmp_path / "twice.zip")
    assert files == {"model.py": MODULE}
    assert any("holds it twice" in note for note in notes)


def test_large_files_are_left_out(tmp_path: Path) -> None:
    """A file over its limit is left out, also when a small zip unpacks to it."""
    bomb = bytes(intake.MAX_SOURCE_BYTES + 1)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "training.py").write_bytes(bomb)
    (tmp_path / "work" / "model.py").write_bytes(MODULE)
    for path in (tmp_path / "work", archive(tmp_path / "bomb.zip", {"training.py": bytes(2**26), "model.py": MODULE})):
        files, notes = taken(path)
        assert files == {"model.py": MODULE}
        assert any("more than 1048576 bytes" in note for note in notes)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder or zip of very many files is refused as a whole."""
    monkeypatch.setattr(intake, "MAX_MEMBERS", 20)
    folder = tmp_path / "many"
    folder.mkdir()
    names = [f"{number}.py" for number in range(30)]
    for name in names:
        (folder / name).touch()
    for path in (folder, archive(tmp_path / "many.zip", dict.fromkeys(names, b""))):
        with pytest.raises(SubmissionError, match="more than 20 files"), take(path):
            pass


def test_what_is_no_submission_is_said(tmp_path: Path) -> None:
    """A missing path, a file that is no zip, and a folder without any module each get their own sentence."""
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    for name, words in (("nowhere", "does not exist"), ("notes.txt", "not a zip"), ("empty", "none of the lab's files")):
        with pytest.raises(SubmissionError, match=words), take(tmp_path / name):
            pass


def test_names_in_notes_are_escaped(tmp_path: Path) -> None:
    """A file name with escape sequences cannot write to the terminal."""
    (tmp_path / "training.py").write_bytes(MODULE)
    (tmp_path / "\x1b[2Jx").touch()
    _, notes = taken(tmp_path)
    assert "\x1b" not in "".join(notes)


def _whole() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("training.py", MODULE * 50)
        made.writestr("model.py", os.urandom(300), zipfile.ZIP_LZMA)
        made.writestr("data.py", MODULE * 50, zipfile.ZIP_BZIP2)
    return buffer.getvalue()


WHOLE = _whole()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file for all damaged archives."""
    return tmp_path_factory.mktemp("damaged") / "damaged.zip"


@settings(deadline=None, max_examples=250)
@given(changes=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=4), cut=st.integers(0, 40))
def test_damaged_archives_are_refused_and_nothing_else(place: Path, changes: list[tuple[int, int]], cut: int) -> None:
    """A zip with changed bytes or a cut end is taken in part or refused with a sentence; nothing else is raised."""
    content = bytearray(WHOLE)
    for position, value in changes:
        content[position] = value
    place.write_bytes(content[: len(content) - cut])
    try:
        with take(place) as submission:
            assert submission.folder.is_dir()
    except SubmissionError:
        pass


def test_encrypted_members_are_left_out(tmp_path: Path) -> None:
    """A member that needs a password is reported."""
    content = bytearray(archive(tmp_path / "plain.zip", {"training.py": MODULE}).read_bytes())
    for mark, place_of_flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.index(mark) + place_of_flags
        struct.pack_into("<H", content, at, struct.unpack_from("<H", content, at)[0] | 1)
    (tmp_path / "locked.zip").write_bytes(content)
    files, notes = taken(tmp_path / "locked.zip")
    assert files == {}
    assert any("cannot be unpacked" in note for note in notes)


def test_lists_that_would_fill_the_memory_are_refused_unread(tmp_path: Path) -> None:
    """A zip of a hundred thousand empty members is refused by the length of its list."""
    place = tmp_path / "many.zip"
    with zipfile.ZipFile(place, "w") as made:
        for number in range(66_000):
            made.writestr(zipfile.ZipInfo(f"{'x' * 100}{number}.py"), b"")
    content = place.read_bytes()
    with pytest.raises(SubmissionError, match=r"too large a zip|more than 20000 files"):
        taken(place)
    small = archive(tmp_path / "small.zip", {"data.py": MODULE})
    end = small.read_bytes().rfind(b"PK\x05\x06")
    listing = content.rfind(b"PK\x05\x06")
    assert int.from_bytes(content[listing + 12 : listing + 16], "little") > intake.MAX_MEMBERS * 100
    assert end > 0
    assert set(taken(small)[0]) == {"data.py"}


def test_other_packings_are_left_out(tmp_path: Path) -> None:
    """Members packed with methods that may ask for gigabytes before they give a byte are not unpacked."""
    for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        place = tmp_path / f"{method}.zip"
        with zipfile.ZipFile(place, "w") as made:
            made.writestr("data.py", MODULE)
            made.writestr("model.py", MODULE * 50, method)
        files, notes = taken(place)
        assert set(files) == {"data.py"}
        assert "model.py was left out: it is packed in another way" in notes[0]
