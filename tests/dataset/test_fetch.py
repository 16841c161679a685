"""Fetching over HTTP from a real server on the loopback that breaks off, ignores ranges, lies, or serves something hostile."""

import hashlib
import io
import re
import stat
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import tenacity

from grader.dataset import fetch as fetch_module
from grader.dataset.fetch import fetch
from grader.dataset.unpack import Limits
from grader.errors import FetchError


def _zip(entries: dict[str, bytes], kind: int = stat.S_IFREG) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (kind | 0o644) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


ENTRIES = {
    "tiny-imagenet-200/wnids.txt": b"n01443537\n",
    "tiny-imagenet-200/train/n01443537/images/n01443537_0.JPEG": bytes(range(256)) * 400,
    "tiny-imagenet-200/val/images/val_0.JPEG": bytes(range(256)) * 400,
}
ARCHIVE = _zip(ENTRIES)


class Site:
    """What the server does, and what it was asked.

    Args:
        content: of the archive.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.etag: str | None = '"v1"'
        self.drop_after: list[int] = []  # bytes after which the answers break off, one answer each
        self.ranges = True
        self.statuses: list[int] = []  # of the first answers
        self.lengths = True
        self.asked: list[tuple[str | None, str | None]] = []  # Range and If-Range
        self.url = ""

    @property
    def md5(self) -> str:
        """Of the content."""
        return hashlib.md5(self.content).hexdigest()


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
            site.asked.append((wanted, condition))
            status = site.statuses.pop(0) if site.statuses else 200
            body, start = site.content, 0
            if status != 200:
                body = b"no"
            elif site.ranges and wanted is not None and condition in (None, site.etag):
                found = re.fullmatch(r"bytes=(\d+)-", wanted)
                assert found is not None
                start = int(found[1])
                status = 206 if start < len(body) else 416
            self.send_response(status)
            if status == 416:
                self.send_header("Content-Range", f"bytes */{len(body)}")
                body = b""
            elif status == 206:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
                body = body[start:]
            if site.etag is not None:
                self.send_header("ETag", site.etag)
            if site.lengths:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: site.drop_after.pop(0)] if site.drop_after else body)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    return Handler


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server on the loopback, and no waiting between attempts."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda seconds: None)
    made = Site(ARCHIVE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made))
    made.url = f"http://127.0.0.1:{server.server_port}/set.zip"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def _assert_whole(folder: Path) -> None:
    for name, content in ENTRIES.items():
        assert (folder / name.removeprefix("tiny-imagenet-200/")).read_bytes() == content
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def _assert_nothing(folder: Path, *, work_kept: bool = False) -> None:
    assert not folder.exists()
    assert folder.with_name(f"{folder.name}.fetch").exists() == work_kept


def test_a_plain_download(site: Site, tmp_path: Path) -> None:
    """One request; the folder holds the archive's inner folder, and nothing else is left beside it."""
    seen: list[tuple[int, int]] = []
    assert (
        fetch(tmp_path / "set", url=site.url, md5=site.md5.upper(), progress=lambda done, total: seen.append((done, total)))
        == tmp_path / "set"
    )
    _assert_whole(tmp_path / "set")
    assert site.asked == [(None, None)]
    assert seen[-1] == (len(ARCHIVE), len(ARCHIVE))


def test_a_whole_set_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    """With the set in place, no request is made."""
    fetch(tmp_path / "set", url=site.url, md5=site.md5)
    fetch(tmp_path / "set", url=site.url, md5=site.md5)
    assert len(site.asked) == 1


def test_a_broken_line_is_continued(site: Site, tmp_path: Path) -> None:
    """After each break the next request asks for the rest only, on condition that it is the same archive."""
    site.drop_after = [70_000, 50_000]
    fetch(tmp_path / "set", url=site.url, md5=site.md5)
    _assert_whole(tmp_path / "set")
    assert site.asked == [(None, None), ("bytes=70000-", '"v1"'), ("bytes=120000-", '"v1"')]


def test_many_breaks_are_no_reason_to_give_up(site: Site, tmp_path: Path) -> None:
    """As long as each attempt brings some bytes, the download goes on."""
    site.drop_after = [10_000] * 15
    fetch(tmp_path / "set", url=site.url, md5=site.md5)
    assert len(site.asked) == 16


def test_a_later_run_continues(site: Site, tmp_path: Path) -> None:
    """When no byte comes any more the command ends and says so; what came is kept and the next run goes on from there."""
    site.drop_after = [70_000, *[0] * 5]
    with pytest.raises(FetchError, match=r"broke off after 70000 bytes .*what came is kept"):
        fetch(tmp_path / "set", url=site.url, md5=site.md5)
    _assert_nothing(tmp_path / "set", work_kept=True)
    site.asked.clear()
    fetch(tmp_path / "set", url=site.url, md5=site.md5)
    _assert_whole(tmp_path / "set")
    assert site.asked == [("bytes=70000-", '"v1"')]


def test_a_server_without_ranges(site: Site, tmp_path: Path) -> None:
    """A server that ignores Range sends all again: the file is begun anew, not appended to."""
    site.ranges, site.drop_after = False, [70_000]
    fetch(tmp_path / "set", url=site.url, md5=site.md5)
    _assert_whole(tmp_path / "set")


def test_a_server_without_versions(site: Site, tmp_path: Path) -> None:
    """Without an ETag or a date the rest is asked for without a condition; the checksum is what counts."""
    site.etag, site.drop_after = None, [70_000]
    fetch(tmp_path / "set", url=site.url, md5=site.md5)
    _assert_whole(tmp_path / "set")
    assert site.asked[1] == ("bytes=70000-", None)


def test_another_archive_in_the_meantime(site: Site, tmp_path: Path) -> None:
    """The archive changed between two runs: If-Range makes the server send all of it, and no mixture arises."""
    site.drop_after = [70_000, *[0] * 5]
    with pytest.raises(FetchError, match="broke off"):
        fetch(tmp_path / "set", url=site.url, md5=site.md5)
    site.content, site.etag = _zip({**ENTRIES, "tiny-imagenet-200/words.txt": b"n01443537\tgoldfish\n"}), '"v2"'
    fetch(tmp_path / "set", url=site.url, md5=site.md5)
    _assert_whole(tmp_path / "set")
    assert (tmp_path / "set" / "words.txt").read_bytes() == b"n01443537\tgoldfish\n"


def test_a_mixture_is_thrown_away_once(site: Site, tmp_path: Path) -> None:
    """Where the server has no versions, two halves of two archives fail the checksum: it is fetched once more from the beginning."""
    site.etag, site.drop_after = None, [70_000, *[0] * 5]
    with pytest.raises(FetchError, match="broke off"):
        fetch(tmp_path / "set", url=site.url, md5=site.md5)
    part = tmp_path / "set.fetch" / "archive.part"
    part.write_bytes(b"\0" * 70_000)
    site.asked.clear()
    fetch(tmp_path / "set", url=site.url, md5=site.md5)
    _assert_whole(tmp_path / "set")
    assert [asked[0] for asked in site.asked] == ["bytes=70000-", None]


def test_a_part_that_is_all_already(site: Site, tmp_path: Path) -> None:
    """A run that was killed after the last byte: the server says that there is no more, and the checksum decides."""
    work = tmp_path / "set.fetch"
    work.mkdir()
    (work / "archive.part").write_bytes(ARCHIVE)
    fetch(tmp_path / "set", url=site.url, md5=site.md5)
    _assert_whole(tmp_path / "set")
    assert site.asked == [(f"bytes={len(ARCHIVE)}-", None)]


def test_a_part_that_is_too_long(site: Site, tmp_path: Path) -> None:
    """More bytes than the archive has: they are thrown away and all is fetched."""
    work = tmp_path / "set.fetch"
    work.mkdir()
    (work / "archive.part").write_bytes(ARCHIVE + b"more")
    fetch(tmp_path / "set", url=site.url, md5=site.md5)
    _assert_whole(tmp_path / "set")


def test_a_finished_download_is_not_repeated(site: Site, tmp_path: Path) -> None:
    """A run that was killed while it unpacked: the archive is there, no request is made, the half unpacked tree is dropped."""
    work = tmp_path / "set.fetch"
    (work / "tree" / "half").mkdir(parents=True)
    (work / "archive.zip").write_bytes(ARCHIVE)
    fetch(tmp_path / "set", url=site.url, md5=site.md5)
    _assert_whole(tmp_path / "set")
    assert site.asked == []


def test_busy_servers_are_asked_again(site: Site, tmp_path: Path) -> None:
    """503 and 429 are tried again."""
    site.statuses = [503, 429]
    fetch(tmp_path / "set", url=site.url, md5=site.md5)
    _assert_whole(tmp_path / "set")
    assert len(site.asked) == 3


def test_a_server_that_stays_busy(site: Site, tmp_path: Path) -> None:
    """After five fruitless attempts the error names the last answer."""
    site.statuses = [503] * 10
    with pytest.raises(FetchError, match=r"broke off after 0 bytes \(the server answered 503\)"):
        fetch(tmp_path / "set", url=site.url, md5=site.md5)
    assert len(site.asked) == 5


@pytest.mark.parametrize("status", [403, 404])
def test_no_archive_there(site: Site, tmp_path: Path, status: int) -> None:
    """404 ends at once, in one sentence with the status and what to do."""
    site.statuses = [status]
    with pytest.raises(FetchError, match=f"expected status 200, received {status}; give another address"):
        fetch(tmp_path / "set", url=site.url, md5=site.md5)
    assert len(site.asked) == 1
    assert not (tmp_path / "set").exists()


def test_nobody_answers(site: Site, tmp_path: Path) -> None:
    """A refused connection is a sentence of ours."""
    with pytest.raises(FetchError, match="check the network"):
        fetch(tmp_path / "set", url="http://127.0.0.1:9/set.zip", md5=site.md5)


def test_no_address_at_all(tmp_path: Path) -> None:
    """Something that is no URL is a sentence of ours too."""
    with pytest.raises(FetchError):
        fetch(tmp_path / "set", url="nonsense", md5="0" * 32)


def test_a_wrong_checksum(site: Site, tmp_path: Path) -> None:
    """Another archive than expected is thrown away; both checksums are named."""
    with pytest.raises(FetchError, match=f"expected MD5 {'0' * 32}, received {site.md5}"):
        fetch(tmp_path / "set", url=site.url, md5="0" * 32)
    _assert_nothing(tmp_path / "set")


def test_an_endless_answer(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More bytes than any archive of ours are refused, announced or not."""
    monkeypatch.setattr(fetch_module, "LARGEST_DOWNLOAD", 100_000)
    with pytest.raises(FetchError, match=r"received 205\d+ announced"):
        fetch(tmp_path / "one", url=site.url, md5=site.md5)
    site.lengths = False
    with pytest.raises(FetchError, match="received more"):
        fetch(tmp_path / "two", url=site.url, md5=site.md5)


def test_a_length_that_is_not_told(site: Site, tmp_path: Path) -> None:
    """Without Content-Length the end of the connection is the end of the archive, and the checksum decides."""
    site.lengths = False
    fetch(tmp_path / "set", url=site.url, md5=site.md5)
    _assert_whole(tmp_path / "set")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_zip({**ENTRIES, "../../evil.txt": b"x"}), "would lie outside the data folder"),
        (_zip({"tiny-imagenet-200/wnids.txt": b"/etc/passwd"}, stat.S_IFLNK), "is a link or a special file"),
        (ARCHIVE[:-100], "damaged or cut short"),
        (ARCHIVE[: len(ARCHIVE) // 2], "damaged or cut short"),
        (b"<html>moved</html>", "damaged or cut short"),
        (_zip({"readme.txt": b"x"}), "holds no data set"),
        (_zip({"a/wnids.txt": b"x", "b/wnids.txt": b"x"}), "holds no data set"),
    ],
    ids=["traversal", "symlink", "truncated", "half", "html", "other", "two"],
)
def test_a_hostile_archive_with_the_right_checksum(site: Site, tmp_path: Path, content: bytes, message: str) -> None:
    """MD5 proves nothing against an attacker: what would do harm is refused all the same, and nothing is left."""
    site.content = content
    (tmp_path / "deep").mkdir()
    with pytest.raises(FetchError, match=message):
        fetch(tmp_path / "deep" / "set", url=site.url, md5=site.md5)
    _assert_nothing(tmp_path / "deep" / "set")
    assert not list(tmp_path.rglob("evil.txt"))


def test_a_bomb(site: Site, tmp_path: Path) -> None:
    """An archive that would unpack to more than agreed is refused."""
    with pytest.raises(FetchError, match="expected at most 1000"):
        fetch(tmp_path / "set", url=site.url, md5=site.md5, limits=Limits(total_bytes=1000))
    _assert_nothing(tmp_path / "set")


def test_a_foreign_folder_is_left_alone(site: Site, tmp_path: Path) -> None:
    """A destination with other files in it is refused before any request; an empty one is used."""
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "notes.txt").write_text("mine")
    with pytest.raises(FetchError, match="expected a new or empty folder"):
        fetch(tmp_path / "set", url=site.url, md5=site.md5)
    assert site.asked == []
    (tmp_path / "set" / "notes.txt").unlink()
    fetch(tmp_path / "set", url=site.url, md5=site.md5)
    _assert_whole(tmp_path / "set")


def test_a_place_that_cannot_be_written(site: Site, tmp_path: Path) -> None:
    """A file where a folder should be is a sentence of ours."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(FetchError, match="expected a folder that can be written"):
        fetch(tmp_path / "file" / "set", url=site.url, md5=site.md5)
