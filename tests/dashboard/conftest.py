"""A student's folder and a small data set, shared by the tests of the dashboard."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from samples import write_submission

from grader.dataset.draw import draw
from grader.dataset.layout import class_ids, encode, wnids_text


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """Put the main module back: Streamlit's AppTest leaves the app there, and a process spawned later would run it."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture(scope="session")
def submission(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete submission; tests only read it."""
    return write_submission(tmp_path_factory.mktemp("student") / "assignment")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of few pictures in the layout of the real one."""
    folder = tmp_path_factory.mktemp("data")
    images = folder / "val" / "images"
    images.mkdir(parents=True)
    (folder / "wnids.txt").write_text(wnids_text())
    lines = []
    for number in range(12):
        label = number * 16
        (images / f"val_{number}.JPEG").write_bytes(encode(draw(7, "val", label, number)))
        lines.append(f"val_{number}.JPEG\t{class_ids()[label]}\t0\t0\t63\t63\n")
    (folder / "val" / "val_annotations.txt").write_text("".join(lines))
    return folder
