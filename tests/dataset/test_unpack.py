"""Unpacking hostile archives: refused whole, with the entry's name, and nothing left behind."""

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from grader.dataset.unpack import Limits, unpack
from grader.errors import FetchError


def _zip(path: Path, entries: dict[str, bytes], kind: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (kind | 0o777) << 16
            archive.writestr(entry, content)
    return path


def test_a_plain_archive(tmp_path: Path) -> None:
    """Files and folders are unpacked as they are, and progress ends at the last entry."""
    seen: list[tuple[int, int]] = []
    archive = _zip(tmp_path / "a.zip", {"set/": b"", "set/wnids.txt": b"n1\n", "set/val/a.JPEG": b"\xff\xd8"})
    unpack(archive, tmp_path / "out", progress=lambda done, total: seen.append((done, total)))
    assert (tmp_path / "out" / "set" / "wnids.txt").read_bytes() == b"n1\n"
    assert (tmp_path / "out" / "set" / "val" / "a.JPEG").read_bytes() == b"\xff\xd8"
    assert seen == [(3, 3)]


@pytest.mark.parametrize(
    "name", ["../evil.txt", "set/../../evil.txt", "/etc/evil.txt", "C:/evil.txt", "set\\..\\evil.txt", "set//evil.txt", "./evil.txt", ".."]
)
def test_a_name_that_leaves_the_folder(tmp_path: Path, name: str) -> None:
    """A traversing, absolute or drive name is refused before anything is written, the harmless entry before it included."""
    archive = _zip(tmp_path / "a.zip", {"good.txt": b"x", name: b"x"})
    with pytest.raises(FetchError, match="would lie outside the data folder"):
        unpack(archive, tmp_path / "deep" / "out")
    assert not (tmp_path / "deep" / "out").exists()
    assert not list(tmp_path.rglob("evil.txt"))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_special_files(tmp_path: Path, kind: int) -> None:
    """A symbolic link, pipe, device or socket is refused."""
    archive = _zip(tmp_path / "a.zip", {"set/link": b"/etc/passwd"}, kind)
    with pytest.raises(FetchError, match="is a link or a special file"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(entries=2), "it has 3 entries, expected at most 2"),
        (Limits(file_bytes=99), "unpacks to 100000 bytes, expected at most 99"),
        (Limits(total_bytes=100_001), "it unpacks to 100002 bytes, expected at most 100001"),
    ],
)
def test_bombs(tmp_path: Path, limits: Limits, message: str) -> None:
    """Too many entries, too large a file or too many bytes in all are refused by what the headers declare."""
    archive = _zip(tmp_path / "a.zip", {"a": b"x", "b": b"x", "c": b"\0" * 100_000})
    with pytest.raises(FetchError, match=message):
        unpack(archive, tmp_path / "out", limits=limits)
    assert not (tmp_path / "out").exists()


def test_a_bomb_that_lies_about_its_size(tmp_path: Path) -> None:
    """An entry that declares 10 bytes and holds a million gives no more than it declared, and is refused."""
    archive = _zip(tmp_path / "a.zip", {"a": b"\0" * 1_000_000})
    content = archive.read_bytes()
    archive.write_bytes(content.replace(struct.pack("<L", 1_000_000), struct.pack("<L", 10)))
    with pytest.raises(FetchError, match="damaged or cut short"):
        unpack(archive, tmp_path / "out", limits=Limits(file_bytes=1000))
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_given_twice(tmp_path: Path) -> None:
    """Two entries of one name, also in other letters, are refused."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("set/a.txt", "1")
        archive.writestr("set/A.TXT", "2")
    with pytest.raises(FetchError, match="is there twice"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_file_that_is_also_a_folder(tmp_path: Path) -> None:
    """An entry below another entry that is a file is refused, and what was written before it is gone."""
    archive = _zip(tmp_path / "a.zip", {"a": b"x", "a/b": b"x"})
    with pytest.raises(FetchError, match="both a file and a folder"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("keep", [0, 10, 400, -30])
def test_a_truncated_archive(tmp_path: Path, keep: int) -> None:
    """An archive cut anywhere is damaged, whatever could still be read of it."""
    archive = _zip(tmp_path / "a.zip", {f"set/{n}": bytes(range(256)) for n in range(20)})
    archive.write_bytes(archive.read_bytes()[:keep])
    with pytest.raises(FetchError, match="damaged or cut short"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_entry(tmp_path: Path) -> None:
    """An entry whose bytes do not match their checksum is refused, and what was written before it is gone."""
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("good", "fine")
        opened.writestr("bad", "original")
    archive.write_bytes(archive.read_bytes().replace(b"original", b"0riginal"))
    with pytest.raises(FetchError, match="damaged or cut short"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_encrypted_archive(tmp_path: Path) -> None:
    """An entry marked as encrypted is refused by name."""
    archive = _zip(tmp_path / "a.zip", {"secret": b"x"})
    content = bytearray(archive.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    with pytest.raises(FetchError, match="'secret' is encrypted"):
        unpack(archive, tmp_path / "out")


def test_a_hostile_name_is_shown_harmlessly(tmp_path: Path) -> None:
    """Control characters of a name do not reach the terminal."""
    archive = _zip(tmp_path / "a.zip", {"../\x1b[2J\n": b"x"})
    with pytest.raises(FetchError) as caught:
        unpack(archive, tmp_path / "out")
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)
