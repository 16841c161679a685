"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import find_server, new_database, postgres_server


def pytest_xdist_auto_num_workers() -> int:
    """How many processes `-n auto` starts: one more than cores, since many tests wait for a process, a page or the end of a time limit."""
    return (os.cpu_count() or 1) + 1


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
