"""Writes the pages of `lab report` to files."""

from __future__ import annotations

import getpass
from pathlib import Path

from dashboard.access import Role, Viewer
from dashboard.page import write
from dashboard.reports import class_page, open_class, student_page
from dashboard.subject import from_own_folder


def write_student(folder: Path, data: Path, file: Path) -> None:
    """Writes a student's page.

    Args:
        folder: The submission's folder.
        data: The data set that pictures are taken from.
        file: The HTML file.

    Raises:
        ResultsError: There is nothing to report, or the file cannot be written.
    """
    write(file, student_page(from_own_folder(folder), data))


def write_class(url: str, run_id: int | None, file: Path) -> None:
    """Writes a class's page; who can open the database may see all of it.

    Args:
        url: The class's database.
        run_id: The run; the newest by default.
        file: The HTML file.

    Raises:
        ResultsError: The database cannot be read, has no such run, or the file cannot be written.
    """
    write(file, class_page(open_class(url, Viewer(Role.INSTRUCTOR, getpass.getuser())), run_id))
