"""The scratch folder from outside: emptied between two tries of a check, without following what lies there."""

from __future__ import annotations

from pathlib import Path

from grader.host.scratch import empty


def test_emptying_follows_no_link(tmp_path: Path) -> None:
    """All that a worker left goes; what its links point at stays."""
    outside, scratch = tmp_path / "outside", tmp_path / "scratch"
    outside.mkdir()
    (outside / "kept").write_text("whole")
    (scratch / "deep" / "er").mkdir(parents=True)
    (scratch / "deep" / "er" / "mark").write_text("second try")
    (scratch / "file").write_text("x")
    (scratch / "folder").symlink_to(outside)
    (scratch / "link").symlink_to(outside / "kept")
    (scratch / "nowhere").symlink_to(tmp_path / "nothing")
    empty(scratch)
    assert list(scratch.iterdir()) == []
    assert (outside / "kept").read_text() == "whole"
