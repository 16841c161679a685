"""`lab dashboard`: starts Streamlit on this machine's own address."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from grader.errors import ResultsError, SetupError

APP: Final = Path(__file__).resolve().parent / "app.py"
LOOPBACK: Final = "127.0.0.1"
EXTRA: Final = "pip install -e '.[dashboard]' (or make setup-dev)"


def require_dashboard() -> None:
    """Makes sure that the libraries of the dashboard are there.

    Raises:
        SetupError: They are not.
    """
    missing = [name for name in ("streamlit", "altair", "sqlalchemy") if find_spec(name) is None]
    if missing:
        raise SetupError(f"The dashboard needs {', '.join(missing)}, which is not installed; install it with {EXTRA}.")


def require_database(text: str) -> None:
    """Makes sure that a class's database is there, and up to date; opening a file that is not there would make an empty one.

    Args:
        text: A file's name, or the URL of a database.

    Raises:
        ResultsError: The file is not there.
        StoreError: It cannot be opened.
    """
    from grader.store.database import open_engine, store_url

    url = store_url(text)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise ResultsError(f"There is no database {url.database}; `lab batch` makes one.")
    open_engine(text).dispose()


def command(*, port: int, open_browser: bool) -> list[str]:
    """The command that serves the dashboard.

    Args:
        port: The port; 0 takes any that is free.
        open_browser: Whether a browser is opened on it.
    """
    options = [f"--server.address={LOOPBACK}", f"--server.headless={'false' if open_browser else 'true'}"]
    if port:
        options.append(f"--server.port={port}")
    return [sys.executable, "-m", "streamlit", "run", str(APP), *options]


def environment(folder: Path, data: Path, grade: Path | None, database: str | None, submissions: Path | None = None) -> dict[str, str]:
    """The environment that tells the pages what to show; a database's URL may hold a password, which a command line would show to all."""
    from dashboard import session

    told = {**os.environ, session.FOLDER: str(folder.resolve()), session.DATA: str(data.resolve())}
    told.pop(session.GRADE, None)
    told.pop(session.DATABASE, None)
    told.pop(session.SUBMISSIONS, None)
    if grade is not None:
        told[session.GRADE] = str(grade.resolve())
    if database is not None:
        told[session.DATABASE] = absolute(database)
    if submissions is not None:
        told[session.SUBMISSIONS] = str(submissions.resolve())
    return told


def absolute(text: str) -> str:
    """A database's URL that means the same from any folder."""
    from grader.store.database import store_url

    url = store_url(text)
    if url.get_backend_name() == "sqlite" and url.database:
        url = url.set(database=str(Path(url.database).resolve()))
    return url.render_as_string(hide_password=False)


def serve(
    folder: Path,
    data: Path,
    grade: Path | None,
    database: str | None,
    submissions: Path | None = None,
    *,
    port: int,
    open_browser: bool,
) -> int:
    """Serves the dashboard until Ctrl-C.

    Returns:
        Streamlit's exit status.

    Raises:
        SetupError: The dashboard's libraries are not installed.
    """
    require_dashboard()
    if database is not None:
        require_database(database)
    process = subprocess.Popen(command(port=port, open_browser=open_browser), env=environment(folder, data, grade, database, submissions))
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait(10)
        return 0
