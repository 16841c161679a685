"""A real PostgreSQL server for the tests, and both kinds of store as one fixture."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa


def find_server() -> Path | None:
    """The folder with PostgreSQL's server programs, the newest version there is."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: int(place.parent.name), reverse=True):
        if (folder / "initdb").is_file():
            return folder
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _other_user() -> dict[str, int]:
    # The server refuses to run as root.
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid}


@contextmanager
def postgres_server(programs: Path) -> Iterator[str]:
    """Runs a server of our own, on a Unix socket in a folder of its own; gives the URL of a database in it."""
    folder = Path(tempfile.mkdtemp(prefix="lab-pg-", dir="/tmp"))
    as_user = _other_user()
    try:
        if as_user:
            os.chown(folder, as_user["user"], as_user["group"])
        data = folder / "data"
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        common = {"check": True, "env": environment, "cwd": "/", "stdout": subprocess.DEVNULL, **as_user}
        subprocess.run([programs / "initdb", "-D", data, "-U", "lab", "-A", "trust", "-E", "UTF8", "--no-sync"], **common)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        control = [programs / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "-o", options]
        subprocess.run([*control, "start"], **common)
        try:
            yield f"postgresql://lab@/postgres?host={folder}"
        finally:
            subprocess.run([programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **common)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_database(server: str) -> str:
    """Makes an empty database; gives its URL."""
    name = f"lab_{uuid.uuid4().hex}"
    engine = sa.create_engine(server.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")
