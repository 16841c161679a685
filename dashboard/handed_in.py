"""The files of one submission out of a course system's download, as they were graded: for the code, and for pictures."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

from dashboard.access import Viewer, require_instructor
from grader.batch.intake import as_one, read_class
from grader.batch.roster import Roster
from grader.errors import SubmissionError
from grader.host.intake import take


class HandedIn:
    """One submission's files in a folder of their own, which goes when nobody holds this any more.

    Args:
        download: The folder that `lab batch` graded.
        label: The submission's name in it.
        digest: Of what was graded.
        viewer: Who asks.

    Raises:
        Refused: The viewer is not an instructor.
        LabError: The download has no such submission, or it has changed since it was graded.
    """

    def __init__(self, download: Path, label: str, digest: str, viewer: Viewer) -> None:
        require_instructor(viewer)
        found = [one for one in read_class(download, Roster(())).submissions if one.label == label]
        if not found:
            raise SubmissionError(f"{download} holds no submission {label}; name the folder that was graded with --submissions.")
        place = tempfile.mkdtemp(prefix="lab-shown-")
        # When nobody holds it any more, or the server ends.
        self._removal = weakref.finalize(self, shutil.rmtree, place, ignore_errors=True)
        self.folder = Path(place) / "submission"
        with as_one(found[0]) as files, take(files) as taken:
            if taken.digest != digest:
                raise SubmissionError(f"{label} has changed since it was graded; what it was like then is not at hand.")
            shutil.copytree(taken.folder, self.folder)
