"""Opens the store's database and brings its tables up to date.

SQLite runs in WAL mode, waits for other writers, and checks foreign keys. Any other URL is PostgreSQL's, through psycopg 3.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from grader.errors import LabError

DEFAULT_FILE: Final = "grades.db"
BUSY_S: Final = 60.0
"""How long a writer waits for another one on SQLite."""
MIGRATION_LOCK: Final = 0x6C6162
"""Number of PostgreSQL's advisory lock around migrations ("lab")."""


class StoreError(LabError):
    """The store cannot be opened, or holds something that this version does not know."""


def store_url(text: str) -> URL:
    """The URL of a store.

    Args:
        text: A file's name for SQLite, `sqlite:///FILE`, or `postgresql://USER@HOST/DATABASE`.

    Raises:
        StoreError: It is neither.
    """
    if "://" not in text:
        return URL.create("sqlite", database=text or DEFAULT_FILE)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise StoreError("The store's URL cannot be read; expected a file's name or postgresql://USER@HOST/DATABASE.") from error
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite":
        return url
    raise StoreError(f"Expected a store in SQLite or PostgreSQL, received {url.get_backend_name()!r}.")


def open_engine(text: str) -> Engine:
    """Opens a store, made or brought up to date where needed.

    Args:
        text: See `store_url`.

    Returns:
        The engine. Several processes may open the same store at once.

    Raises:
        StoreError: It cannot be opened, or was made by a newer version.
    """
    url = store_url(text)
    shown = url.render_as_string(hide_password=True)
    try:
        if url.get_backend_name() == "sqlite":
            if url.database:
                Path(url.database).parent.mkdir(parents=True, exist_ok=True)
            engine = sa.create_engine(url, connect_args={"timeout": BUSY_S})
            event.listen(engine, "connect", _sqlite_connection)
            event.listen(engine, "begin", _sqlite_begin)
        else:
            engine = sa.create_engine(url, pool_pre_ping=True)
        with engine.begin() as connection:
            _migrate(connection)
    except (DBAPIError, OSError, NoSuchModuleError) as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        raise StoreError(f"The store {shown} cannot be opened ({reason}); name another with --db, or start its server.") from error
    except CommandError as error:
        raise StoreError(f"The store {shown} was made by another version of this package ({error}); install the newest one.") from error
    return engine


def migration_config(connection: Connection) -> Config:
    """Alembic's configuration for one connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # Two who open a new store at once: the second waits, and finds the tables there.
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:number)"), {"number": MIGRATION_LOCK})
    command.upgrade(migration_config(connection), "head")


def _sqlite_connection(connection: sqlite3.Connection, _: Any) -> None:
    # The driver must not begin transactions by itself: `_sqlite_begin` does, with the write lock from the start.
    connection.isolation_level = None
    cursor = connection.cursor()
    # Changing to WAL needs the file for itself and does not wait for another who does the same.
    end = time.monotonic() + BUSY_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    # IMMEDIATE: a reader that turns into a writer half-way would be refused instead of waiting its turn.
    read_only = connection.get_execution_options().get("lab_read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads, and keeps no writer waiting."""
    with engine.connect().execution_options(lab_read_only=True) as connection, connection.begin():
        yield connection
