"""A tiny embedded data set, made once, and copies of it that a test may break."""

import shutil
from pathlib import Path

import pytest

from grader.dataset.layout import Size
from grader.dataset.make import make_dataset

TINY = Size("tiny", 2, 1, 1)


@pytest.fixture(scope="session")
def tiny_master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole data set of 400 + 200 + 200 pictures; not to be changed."""
    folder = tmp_path_factory.mktemp("tiny") / "set"
    make_dataset(folder, TINY)
    return folder


@pytest.fixture
def tiny(tiny_master: Path, tmp_path: Path) -> Path:
    """A copy of the tiny data set that a test may change."""
    return Path(shutil.copytree(tiny_master, tmp_path / "set"))
