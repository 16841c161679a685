"""What a page knows of its surroundings: which folder, which data, which database, and who looks.

`lab dashboard` says it by environment variables; a course's server may give the database in secrets.toml as `[connections.class] url`.
"""

from __future__ import annotations

import getpass
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pandas as pd
import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from dashboard.access import UNREADABLE, Refused, Role, Viewer, identify, refuse_open_door, require_instructor
from dashboard.handed_in import HandedIn
from dashboard.queries import Classroom
from dashboard.subject import Subject, from_own_folder
from dashboard.whole_class import WholeClass
from grader.errors import ResultsError
from grader.store.database import store_url
from grader.store.results import Results

FOLDER: Final = "LAB_DASHBOARD_FOLDER"
DATA: Final = "LAB_DASHBOARD_DATA"
GRADE: Final = "LAB_DASHBOARD_GRADE"
DATABASE: Final = "LAB_DASHBOARD_DB"
SUBMISSIONS: Final = "LAB_DASHBOARD_SUBMISSIONS"

CACHED_S: Final = 20.0
"""Seconds for which an answer of the database is kept: a page is drawn anew at every click, the class changes slowly."""
LIVE_S: Final = 1.0
"""The same for the progress of a running batch."""


def own_folder() -> Path:
    """The student's own folder."""
    return Path(os.environ.get(FOLDER, "assignment"))


def data_folder() -> Path:
    """The data set that pictures are taken from."""
    return Path(os.environ.get(DATA, "data/small"))


def own_subject() -> Subject:
    """The student's own folder, read anew on every run: it is small, and it changes."""
    grade = os.environ.get(GRADE)
    return from_own_folder(own_folder(), Path(grade) if grade else None)


class DoorClosed(Exception):
    """Nobody is logged in yet, and a login is configured. Never shown as it is: `draw` draws the way in."""

    def draw(self) -> None:
        """The page of somebody who is not logged in."""
        st.title("Deep-learning lab", anchor=False)
        st.text("Log in with your university's account to see your results.")
        st.button("Log in", on_click=st.login, type="primary")


def login_configured() -> bool:
    """Whether secrets.toml has an `[auth]` section."""
    return _secret("auth") is not None


def database() -> str | None:
    """The class's database as a URL; None where a student looks at a folder."""
    text = os.environ.get(DATABASE)
    if not text:
        connections = _secret("connections")
        text = connections["class"]["url"] if connections and "class" in connections else None
    return store_url(text).render_as_string(hide_password=False) if text else None


def find_viewer() -> Viewer:
    """Finds out who looks.

    Raises:
        DoorClosed: They must log in first.
        Refused: They may see nothing.
    """
    url = database()
    login = login_configured()
    refuse_open_door(str(st.get_option("server.address") or ""), login=login, class_open=url is not None)
    if not login:
        return Viewer(Role.STUDENT if url is None else Role.INSTRUCTOR, getpass.getuser())
    if url is None:
        raise Refused("A login is configured, but no class to look at; start with `lab dashboard --db URL`.")
    if not st.user.is_logged_in:
        raise DoorClosed
    lab = _secret("lab") or {}
    return identify(st.user.to_dict(), lab.get("instructors", []), ask)


def viewer() -> Viewer:
    """Who looks, as the app found out at the start of this run."""
    found: Viewer = st.session_state["viewer"]
    return found


def ask(sql: str, parameters: dict[str, Any], ttl: float = CACHED_S) -> pd.DataFrame:
    """Asks the class's database.

    Args:
        sql: A query with named parameters.
        parameters: Their values; they are part of the cache's key, so that nobody is given another's rows.
        ttl: Seconds for which the answer is kept.

    Raises:
        ResultsError: The database cannot be asked.
    """
    try:
        connection = st.connection("class", type="sql", url=database())
        return connection.query(sql, params=parameters, ttl=ttl, show_spinner=False)
    except UNREADABLE as error:
        raise ResultsError(
            f"The class's database cannot be read just now ({type(error).__name__}); reload the page in a moment."
        ) from error


def classroom() -> Classroom:
    """The class's database, as this viewer may see it."""
    return Classroom(ask, viewer())


def subject() -> Subject:
    """The submission that a student's page is about: their own."""
    if database() is None:
        return own_subject()
    return classroom().own_subject()


def _secret(name: str) -> Any:
    # Without a file of secrets Streamlit raises instead of saying that there is none.
    try:
        return st.secrets.get(name)
    except (StreamlitSecretNotFoundError, FileNotFoundError):
        return None


def whole_class() -> WholeClass:
    """The class's database for an instructor.

    Raises:
        Refused: The viewer is a student.
    """
    return WholeClass(ask, viewer())


def from_address(key: str, numbers: list[int]) -> None:
    """Takes a widget's first value from the address, by its number; Streamlit itself would bind the words that are shown.

    Args:
        key: The widget's key, and the parameter's name.
        numbers: What may be chosen.
    """
    asked = st.query_params.get(key, "")
    if st.session_state.get(key) not in numbers:
        st.session_state[key] = int(asked) if asked.isdecimal() and int(asked) in numbers else numbers[0]


def choose_run() -> None:
    """The choice of the run that an instructor's pages are about, in the side bar; the newest at first."""
    runs = whole_class().runs()
    if runs.empty:
        return
    names = {int(run.id): f"{run.source}, run {run.id} ({run.state})" for run in runs.itertuples()}
    from_address("run", list(names))
    st.sidebar.selectbox("Run", list(names), format_func=lambda number: names[number], key="run")
    st.query_params["run"] = str(st.session_state["run"])


def download_folder() -> Path | None:
    """The download that was graded, where it is known.

    Raises:
        Refused: The viewer is a student.
    """
    require_instructor(viewer())
    download = os.environ.get(SUBMISSIONS)
    return Path(download) if download else None


@st.cache_resource(max_entries=16, show_spinner=False)
def _handed_in(download: str, label: str, digest: str, _viewer: Viewer) -> HandedIn:
    return HandedIn(Path(download), label, digest, _viewer)


def with_files(subject: Subject) -> Subject:
    """A submission of the class with its files, where the download is known.

    Raises:
        Refused: The viewer is a student.
        LabError: The download does not hold what was graded.
    """
    download = download_folder()
    if download is None or subject.grade is None:
        return subject
    return replace(subject, folder=_handed_in(str(download), subject.grade.submission, subject.grade.digest, viewer()).folder)


def chosen_run() -> int | None:
    """The run that an instructor's pages are about; None when there is none yet."""
    run = st.session_state.get("run")
    return None if run is None else int(run)


@st.cache_resource(max_entries=4, show_spinner=False)
def _store(url: str) -> Results:
    return Results.open(url)


def store() -> Results:
    """The class's database, to write a change into.

    Raises:
        Refused: There is no class here.
        StoreError: It cannot be opened.
    """
    url = database()
    if url is None:
        raise Refused("There is no class here.")
    return _store(url)


def forget() -> None:
    """Forgets the answers that are kept, after a change."""
    st.cache_data.clear()
