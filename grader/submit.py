"""Hands in: checks that a submission is complete, packs exactly the expected files, and gives a receipt.

Nothing of the submission is run here: its findings and results are read as data.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from grader.artifacts import FILES, TRACE_FOLDER, UNANSWERED, WEIGHTS_FILE, Kernels, Machine, Results, Timings, Training, read_findings
from grader.errors import ResultsError, SubmissionError
from grader.lab import FINDINGS_FILE, MODULE_FILES, RESULTS_FOLDER, SECTIONS
from grader.report.text import one_line, score
from grader.results import GradeResult

RESULT_FILES: Final = (*FILES.values(), WEIGHTS_FILE)
TRACES: Final = 3
"""Trace files: one for each of the three images that are profiled."""
LARGEST_BYTES: Final = 64 * 2**20
"""Size of all files together; a complete submission has about 4 MiB, the most of it weights."""

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a student keeps as proof of what was handed in.

    Attributes:
        file: The archive.
        sha256: Of the archive's bytes; the same files packed again on the same machine give the same.
        size_bytes: Of the archive.
        files: Names in the archive, sorted.
        name: The student's name, as given; may be empty.
        public_score: `80/100`, from the public checks.
        missing: What was missing when an incomplete submission was packed on purpose, one phrase each.
    """

    file: Path
    sha256: str
    size_bytes: int
    files: tuple[str, ...]
    name: str
    public_score: str
    missing: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """The receipt as it is printed."""
        head = (f"name          {one_line(self.name)}",) if self.name else ()
        return (
            *head,
            f"file          {self.file} ({self.size_bytes:,} bytes, {len(self.files)} files)",
            f"SHA-256       {self.sha256}",
            f"public score  {self.public_score} (hidden checks run when the course grades)",
            *(f"missing       {one_line(phrase)}" for phrase in self.missing),
        )


def submit(submission: Path, output: Path | None, result: GradeResult, *, name: str = "", allow_incomplete: bool = False) -> Receipt:
    """Packs a submission.

    Args:
        submission: The folder with the modules, findings and results.
        output: The archive to write; by default one named after the student, or after the folder, in the working directory.
        result: The public grading of this folder; its score goes on the receipt.
        name: The student's name, for the receipt and the archive's name.
        allow_incomplete: Pack even when something is missing; the receipt then lists it.

    Raises:
        SubmissionError: Something is missing, out of date or too large; the message lists all of it.
    """
    missing = find_missing(submission)
    if missing and not allow_incomplete:
        raise SubmissionError(
            f"{submission} is not complete: {'; '.join(missing)}. Mend that, or hand in as it is with `lab submit --incomplete`."
        )
    files = _expected_files(submission)
    if not files:
        raise SubmissionError(f"{submission} has none of the expected files ({', '.join(MODULE_FILES)}); nothing was packed.")
    size = sum(file.stat().st_size for file in files.values())
    if size > LARGEST_BYTES:
        raise SubmissionError(
            f"The files to hand in have {size:,} bytes, expected at most {LARGEST_BYTES:,}; "
            f"measure again with `lab measure`, so that {RESULTS_FOLDER}/ has only its own files."
        )
    target = output if output is not None else Path(f"{_slug(name) or _slug(submission.resolve().name) or 'submission'}.zip")
    _write_archive(target, files)
    data = target.read_bytes()
    return Receipt(
        file=target,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        files=tuple(files),
        name=name,
        public_score=score(result.score, result.points),
        missing=missing,
    )


def find_missing(submission: Path) -> tuple[str, ...]:
    """All that keeps a submission from being complete, one phrase each; empty when it is complete.

    Raises:
        SubmissionError: There is no such folder.
    """
    if not submission.is_dir():
        raise SubmissionError(f"There is no folder {submission}; give the folder that has {MODULE_FILES[0]} in it.")
    modules = [f"no {name}" for name in MODULE_FILES if not _is_file(submission / name)]
    return (*modules, *_missing_findings(submission / FINDINGS_FILE), *_missing_results(submission))


def _missing_findings(file: Path) -> list[str]:
    if not _is_file(file):
        return [f"no {FINDINGS_FILE}"]
    try:
        document = read_findings(file.parent)
    except ResultsError as error:
        return [str(error).rstrip(".")]
    problems = [f"{FINDINGS_FILE} has no table [{section}]" for section in SECTIONS if section not in document]
    unanswered = [f"{section}.{key}" for section, table in document.items() for key, value in table.items() if value == UNANSWERED]
    if unanswered:
        problems.append(f'{FINDINGS_FILE} still has "?" for {", ".join(unanswered)}')
    return problems


def _missing_results(submission: Path) -> list[str]:
    results = Results(submission)
    readers: dict[str, Callable[[], object]] = {
        FILES[Machine]: lambda: results.read(Machine),
        FILES[Kernels]: lambda: results.read(Kernels),
        FILES[Timings]: lambda: results.read(Timings),
        FILES[Training]: lambda: results.read(Training),
        WEIGHTS_FILE: results.weights,
    }
    problems = []
    absent = 0
    for name, read in readers.items():
        if not _is_file(results.folder / name):
            absent += 1
            problems.append(f"no {RESULTS_FOLDER}/{name} (run `lab measure`)")
            continue
        try:
            document = read()
        except ResultsError as error:
            problems.append(str(error).rstrip("."))
            continue
        if isinstance(document, Machine) and (stale := _stale_sources(submission, document.sources)):
            problems.append(f"{RESULTS_FOLDER}/ was measured with another version of {', '.join(stale)}; run `lab measure` again")
    if absent == len(readers):
        return [f"no {RESULTS_FOLDER}/ (run `lab measure`)"]
    traces = sum(_is_file(file) for file in results.traces())
    if traces < TRACES:
        problems.append(f"{traces} of {TRACES} traces in {RESULTS_FOLDER}/{TRACE_FOLDER}/ (run `lab measure`)")
    return problems


def _stale_sources(submission: Path, recorded: Mapping[str, str]) -> list[str]:
    return [
        name
        for name in MODULE_FILES
        if _is_file(submission / name) and recorded.get(name) != hashlib.sha256((submission / name).read_bytes()).hexdigest()
    ]


def _expected_files(submission: Path) -> dict[str, Path]:
    """Names in the archive and their files, sorted by name; whatever else lies in the folder stays there."""
    results = submission / RESULTS_FOLDER
    candidates = [submission / name for name in (*MODULE_FILES, FINDINGS_FILE)]
    candidates += [results / name for name in RESULT_FILES]
    candidates += Results(submission).traces()
    return {file.relative_to(submission).as_posix(): file for file in sorted(candidates) if _is_file(file)}


def _is_file(file: Path) -> bool:
    # A link could bring any file of the machine into the archive.
    return file.is_file() and not file.is_symlink()


def _write_archive(target: Path, files: dict[str, Path]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    with zipfile.ZipFile(part, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            # Fixed time, permissions and system: the archive depends on nothing but the files.
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[name].read_bytes())
    part.replace(target)


def _slug(name: str) -> str:
    return re.sub(r"[^\w]+", "-", name).strip("-_").lower()[:80]
