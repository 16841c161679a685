"""One submission's grading as data: what travels to a grader process, on this machine or on a cluster's, and what comes back."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from grader.errors import LabError, SetupError
from grader.host.launch import Launcher, refuse_without_sandbox
from grader.host.launch import launcher as make_launcher
from grader.results import Cause, CheckResult, Feedback, GradeResult, State

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Job:
    """A submission to be graded.

    Attributes:
        key: Of the grading, in the store.
        label: What the submission is called.
        archive: Its files, as a zip.
        keyword: Which checks; all when empty.
        secret: The course's secret in hexadecimal; empty for the public seed.
        threads: Threads that TensorFlow may use.
        unsandboxed: Whether it may run where nothing holds it.
        known: Results that are there already.
    """

    key: str
    label: str
    archive: bytes
    keyword: str = ""
    secret: str = ""
    threads: int = 1
    unsandboxed: bool = False
    known: tuple[dict[str, Any], ...] = field(default=())


class Graders:
    """What one grader process keeps from job to job: its launcher, with the warm zygote."""

    def __init__(self) -> None:
        self._launcher: Launcher | None = None

    def start(self) -> None:
        """Starts the zygote and imports what grading needs, while the first job is on its way."""
        with contextlib.suppress(LabError):  # the first job tells
            self._launcher = make_launcher("auto")
        import grader.grade  # noqa: F401

    def run(self, job: Job, listener: Callable[[CheckResult], None]) -> GradeResult:
        """Grades a job's submission.

        Args:
            job: The job.
            listener: Called with each check's result as it falls.

        Returns:
            The result, known checks included.

        Raises:
            SetupError: No worker can be started here, or nothing would hold it.
            SubmissionError: The archive holds no submission.
        """
        from grader.grade import grade

        self._launcher = launcher = self._launcher or make_launcher("auto")
        try:
            refuse_without_sandbox(launcher, unsandboxed=job.unsandboxed)
            with tempfile.TemporaryDirectory(prefix="lab-job-") as folder:
                file = Path(folder) / "submission.zip"
                file.write_bytes(job.archive)
                known = {check.name: check for check in map(check_from_plain, job.known)}
                secret = bytes.fromhex(job.secret) or None
                result = grade(
                    file,
                    keyword=job.keyword,
                    secret=secret,
                    listener=listener,
                    launcher=launcher,
                    known=known,
                    threads=job.threads,
                )
        except BaseException:
            self.close()  # whatever went wrong, the next job gets a new zygote
            raise
        return dataclasses.replace(result, submission=job.label)

    def close(self) -> None:
        """Ends the zygote."""
        if self._launcher is not None:
            self._launcher.close()
            self._launcher = None


def pack(folder: Path) -> bytes:
    """The files of a taken submission as a zip, the same bytes for the same files.

    Args:
        folder: Our own copy of the files.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), date_time=_EPOCH)
                # Weights do not get smaller, and are most of a submission.
                entry.compress_type = zipfile.ZIP_STORED if file.suffix == ".safetensors" else zipfile.ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())
    return buffer.getvalue()


def check_to_plain(check: CheckResult) -> dict[str, Any]:
    """A check's result as plain data."""
    return dataclasses.asdict(check)


def check_from_plain(plain: dict[str, Any]) -> CheckResult:
    """What `check_to_plain` made of a check's result."""
    feedback = plain["feedback"]
    return CheckResult(
        **{
            **plain,
            "state": State(plain["state"]),
            "cause": Cause(plain["cause"]) if plain["cause"] else None,
            "feedback": Feedback(**{**feedback, "comparison": tuple(feedback["comparison"])}) if feedback else None,
        }
    )


def fault_kind(error: Exception) -> str:
    """Whom a job's exception stops: `setup` the whole run, `submission` this one for good, `grader` this one, to be tried again."""
    if isinstance(error, SetupError):
        return "setup"
    return "submission" if isinstance(error, LabError) else "grader"
