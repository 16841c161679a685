"""The export buttons: a run's grades as a file for a course system, or as a page of feedback for each student."""

from __future__ import annotations

import io
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dashboard.access import Viewer, require_instructor
from grader.export import export_grades, write_feedback
from grader.export.grades import Policy, grades_of
from grader.store.results import Results

FEEDBACK: Final = "feedback pages"
FORMS: Final = {
    "Canvas gradebook": "canvas",
    "Gradescope results": "gradescope",
    "Moodle worksheet": "moodle",
    "CSV with all sections": "csv",
    "Feedback pages (HTML)": FEEDBACK,
}
"""What can be exported, by the words on the page."""


@dataclass(frozen=True, slots=True)
class Export:
    """A file to download.

    Attributes:
        name: Of the file.
        mime: Its type.
        data: Its bytes.
        remarks: What the course system will not find, one sentence each.
    """

    name: str
    mime: str
    data: bytes
    remarks: tuple[str, ...]


def prepare(
    store: Results, viewer: Viewer, run_id: int, form: str, *, policy: Policy, assignment: str = "Lab 1", sheet: bytes | None = None
) -> Export:
    """Makes the file of one run.

    Args:
        store: The class's database.
        viewer: Who asks.
        run_id: The run.
        form: One of the values of `FORMS`.
        policy: What late days cost.
        assignment: Canvas's column.
        sheet: What the course system let somebody download, to be filled in.

    Raises:
        Refused: The viewer is not an instructor.
        LabError: There is no such run, or the sheet is missing or cannot be read.
    """
    require_instructor(viewer)
    grades = grades_of(store, store.run(run_id), policy)
    with tempfile.TemporaryDirectory(prefix="lab-export-") as place:
        folder = Path(place)
        if form in (FEEDBACK, "gradescope"):
            target = folder / "out"
            target.mkdir()
            if form == FEEDBACK:
                write_feedback(grades, target)
                remarks: list[str] = []
            else:
                remarks = export_grades(form, grades, target, sheet=None, assignment=assignment)
            return Export(f"run-{run_id}-{form.replace(' ', '-')}.zip", "application/zip", _zipped(target), tuple(remarks))
        given = None
        if sheet is not None:
            given = folder / "sheet.csv"
            given.write_bytes(sheet)
        target = folder / "grades.csv"
        remarks = export_grades(form, grades, target, sheet=given, assignment=assignment)
        return Export(f"run-{run_id}-{form}.csv", "text/csv", target.read_bytes(), tuple(remarks))


def _zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
    return buffer.getvalue()
