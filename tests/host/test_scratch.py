"""The scratch folder from outside: measured and emptied without following what lies there, however deep it is."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader.host import limits, scratch
from grader.host.scratch import MOST_LEVELS, Usage, empty, remove, usage

LIMITS = replace(limits.CHECK, scratch_bytes=2**20, scratch_files=1000)
by_descriptor = pytest.mark.skipif(not os.supports_dir_fd, reason="no folder descriptors on Windows")


def nest(folder: Path, levels: int, name: str, content: bytes) -> None:
    """Makes folders in folders, with a file at the bottom; their path may be longer than a path can be."""
    descriptor = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=descriptor)
        inner = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    file = os.open("bottom", os.O_WRONLY | os.O_CREAT, dir_fd=descriptor)
    with os.fdopen(file, "wb") as opened:
        opened.write(content)
    os.close(descriptor)


def test_emptying_follows_no_link(tmp_path: Path) -> None:
    """All that a worker left goes; what its links point at stays."""
    outside, inside = tmp_path / "outside", tmp_path / "scratch"
    outside.mkdir()
    (outside / "kept").write_text("whole")
    (inside / "deep" / "er").mkdir(parents=True)
    (inside / "deep" / "er" / "mark").write_text("second try")
    (inside / "deep" / "er" / "folder").symlink_to(outside)
    (inside / "file").write_text("x")
    (inside / "folder").symlink_to(outside)
    (inside / "link").symlink_to(outside / "kept")
    (inside / "nowhere").symlink_to(tmp_path / "nothing")
    mode = inside.stat().st_mode
    assert empty(inside)
    assert list(inside.iterdir()) == []
    assert inside.stat().st_mode == mode
    assert (outside / "kept").read_text() == "whole"


@by_descriptor
@pytest.mark.parametrize(("levels", "name"), [(1500, "d"), (60, "d" * 200)])
def test_depth_keeps_nothing_from_being_removed(tmp_path: Path, levels: int, name: str) -> None:
    """Folders deeper than Python can recurse, and paths longer than the system takes, go as any other."""
    inside = tmp_path / "scratch"
    for branch in ("left", "right"):
        (inside / branch).mkdir(parents=True)
        nest(inside / branch, levels, name, b"x")
    assert remove(inside)
    assert not inside.exists()


def test_removing_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    """A clean-up never ends a grading."""
    assert not empty(tmp_path / "nothing")
    assert remove(tmp_path / "nothing")
    (tmp_path / "file").write_text("x")
    assert not remove(tmp_path / "file")


@by_descriptor
def test_folders_without_rights_are_removed(tmp_path: Path) -> None:
    """What its owner may not list or write to can be removed all the same."""
    inside = tmp_path / "scratch"
    for folder in ("a/b/c", "a/d"):
        (inside / folder).mkdir(parents=True)
        (inside / folder / "file").write_text("x")
    for folder in ("a/b/c", "a/b", "a/d", "a"):
        (inside / folder).chmod(0)
    assert remove(inside)


@by_descriptor
def test_long_paths_hide_nothing(tmp_path: Path) -> None:
    """What lies where no path reaches is counted."""
    nest(tmp_path, 30, "d" * 200, os.urandom(2**21))
    assert usage(tmp_path, LIMITS) is Usage.BYTES
    assert usage(tmp_path, replace(LIMITS, scratch_bytes=2**22)) is Usage.FINE
    assert usage(tmp_path, replace(LIMITS, scratch_files=30)) is Usage.FILES


@by_descriptor
def test_too_deep_is_over_the_limit(tmp_path: Path) -> None:
    """Folders may lie in folders up to a number; looking keeps no descriptor open."""
    nest(tmp_path, MOST_LEVELS, "d", b"x")
    opened = len(os.listdir("/dev/fd"))
    assert usage(tmp_path, LIMITS) is Usage.FINE
    deeper = tmp_path / "deeper"
    deeper.mkdir()
    nest(deeper, MOST_LEVELS, "d", b"x")
    assert usage(tmp_path, LIMITS) is Usage.HIDDEN
    assert len(os.listdir("/dev/fd")) == opened


@by_descriptor
@pytest.mark.parametrize(("error", "found"), [(PermissionError(13, "no"), Usage.HIDDEN), (OSError(24, "too many"), Usage.FINE)])
def test_a_folder_that_cannot_be_read_is_over_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, found: Usage
) -> None:
    """A closed folder may hold anything; that this side has no descriptors left is not the worker's fault."""
    (tmp_path / "closed").mkdir()
    real = os.open

    def opened(path: Any, *args: Any, **kwargs: Any) -> int:
        if path == "closed":
            raise error
        return real(path, *args, **kwargs)

    monkeypatch.setattr(scratch.os, "open", opened)
    assert usage(tmp_path, LIMITS) is found
