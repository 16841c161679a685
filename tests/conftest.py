"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from databases import find_server, new_database, postgres_server

from grader.host.launch import Launcher, launcher


def pytest_xdist_auto_num_workers() -> int:
    """How many processes `-n auto` starts: one more than cores, since many tests wait for a process, a page or the end of a time limit."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def own_runtime_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No warm zygote of the person who runs the tests is met."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        patch.delenv("LAB_WORKER", raising=False)
        yield


@pytest.fixture(scope="session")
def shared(own_runtime_folder: None) -> Iterator[Launcher]:
    """One zygote for all gradings, in the best jail of this machine: TensorFlow is imported once."""
    with closing(launcher()) as started:
        yield started


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a running PostgreSQL server."""
    programs = find_server()
    if programs is None:
        pytest.skip("NO POSTGRESQL SERVER FOUND: install the package `postgresql`, without it half of the store is untested")
    with postgres_server(programs) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store, once in SQLite and once in PostgreSQL."""
    if request.param == "sqlite":
        return str(tmp_path / "grades.db")
    return new_database(request.getfixturevalue("postgres"))
