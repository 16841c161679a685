"""Grades a class: what `lab batch` does."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from sqlalchemy.exc import DataError

import grader
from grader.batch.digests import check_digests
from grader.batch.intake import Received, as_one, read_class
from grader.batch.job import Job, check_to_plain, pack
from grader.batch.pool import LocalPool, OnCheck, OnOutcome, Outcome
from grader.batch.record import Record
from grader.batch.roster import Roster
from grader.errors import LabError, SetupError, SubmissionError
from grader.host.intake import take
from grader.host.limits import configured
from grader.results import CheckResult
from grader.store.measurements import save_measurements
from grader.store.results import Identity, Results

RULES: Final = ("latest", "best")


class Pool(Protocol):
    """Whatever runs jobs: grader processes here, or a cluster's.

    Attributes:
        threads: How many threads TensorFlow gets for each.
    """

    threads: int

    def run(self, jobs: Sequence[Callable[[], Job | None]], on_check: OnCheck, on_outcome: OnOutcome) -> None:
        """Runs jobs; see `LocalPool.run`."""


class Progress(Protocol):
    """Whoever shows how far a run is."""

    def begin(self, total: int, cached: int) -> None:
        """The run begins; so many gradings in all, and so many of them there already."""

    def check(self) -> None:
        """A check has ended."""

    def done(self, label: str, *, failed: bool) -> None:
        """A grading has ended."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a class is graded.

    Attributes:
        course: What the class is called in the store; by default the name of the download's folder.
        layout: Of the download, or `auto`.
        due: For late days.
        rule: Which of several submissions counts: `latest` or `best`.
        keyword: Which checks; all when empty.
        secret: The course's secret, or None for the public seed.
        processes: Grader processes at once; 0 for as many as fit.
        scheduler: Address of a Dask scheduler; empty for this machine.
        unsandboxed: Whether submissions may run where nothing holds them.
        force: Grades anew what is graded already.
    """

    course: str = ""
    layout: str = "auto"
    due: datetime | None = None
    rule: str = "latest"
    keyword: str = ""
    secret: bytes | None = None
    processes: int = 0
    scheduler: str = ""
    unsandboxed: bool = False
    force: bool = False


@dataclass(slots=True)
class Summary:
    """What a run came to.

    Attributes:
        run_id: In the store.
        resumed: Whether it went on with a run that was cut off.
        submissions: How many were handed in.
        graded: Gradings that were made now.
        cached: Gradings that were there already.
        failed: What could not be graded, label and reason.
        remarks: What intake found.
    """

    run_id: int
    resumed: bool
    submissions: int
    graded: int = 0
    cached: int = 0
    failed: list[str] = field(default_factory=list)
    remarks: tuple[str, ...] = ()
    whole: bool = True
    """Whether nothing is left to be tried again."""


@dataclass(frozen=True, slots=True)
class _Work:
    received: Received
    identity: Identity
    notes: tuple[str, ...]


def run_batch(
    source: Path, roster: Roster, store: Results, options: Options, progress: Progress, *, graders: LocalPool | None = None
) -> Summary:
    """Grades a class. Given again after any interruption, it goes on; given again when all is done, it changes nothing.

    Args:
        source: The download's folder.
        roster: The class.
        store: Where results go.
        options: How.
        progress: Told how far it is.
        graders: Grader processes that are there already, left open.

    Returns:
        What it came to.

    Raises:
        LabError: The download or a setting is not as expected, or nothing can be graded here.
    """
    if options.rule not in RULES:
        raise LabError(f"There is no rule {options.rule!r}; expected one of {', '.join(RULES)}.")
    intake = read_class(source, roster, layout=options.layout, due=options.due)
    checks = check_digests(options.keyword)
    settings = _settings(options)
    course = options.course or source.resolve().name
    record = Record(store)
    anyone = Identity("", checks, settings, grader.__version__)
    resumed = record.start(
        course,
        anyone,
        rule=options.rule,
        scheduler=options.scheduler,
        forced=options.force,
        remarks=intake.remarks,
        count=len(intake.submissions),
    )
    summary = Summary(record.run_id, resumed, len(intake.submissions), remarks=intake.remarks)
    record.roster(roster)
    work: dict[str, _Work] = {}
    submissions: dict[str, list[int]] = {}
    for received in intake.submissions:
        _take_in(received, record, anyone, course, work, submissions, summary)
    finished = store.finished(work)
    if options.force:
        # What this run has made already, before it was cut off, is not made a third time.
        begun = store.run(record.run_id).started_at
        mine = {entry.grading.key for entry in store.entries(record.run_id) if entry.grading is not None}
        for key in [key for key in work if key not in mine]:
            _replace(record, key, begun)
        finished &= mine
    for key in finished:
        for number in submissions[key]:
            record.entry(number, key, cached=True)
    summary.cached = len(finished)
    progress.begin(len(work), len(finished))
    missing = [key for key in work if key not in finished]
    if missing:
        _run(missing, work, submissions, record, options, summary, progress, graders)
    # A run that was cut off still says `running`, and the same command goes on with it.
    record.end(state="finished" if summary.whole else "incomplete")
    return summary


def _replace(record: Record, key: str, before: datetime) -> None:
    record.keep(lambda: record.store.replace(key, before=before))


def _take_in(
    received: Received,
    record: Record,
    anyone: Identity,
    course: str,
    work: dict[str, _Work],
    submissions: dict[str, list[int]],
    summary: Summary,
) -> None:
    try:
        with as_one(received) as place, take(place) as taken:
            identity = dataclasses.replace(anyone, digest=taken.digest)
            # What a student measured is only shown: values that no store takes cost nobody else a grade.
            with suppress(DataError):
                record.keep(lambda: save_measurements(record.store, taken.digest, taken.folder))
            number = record.submission(course, received, taken.digest)
            work.setdefault(identity.key, _Work(received, identity, taken.notes))
            submissions.setdefault(identity.key, []).append(number)
    except SubmissionError as error:
        reason = str(error).replace(str(received.files[0]), received.label)
        number = record.submission(course, received, "", problem=reason)
        record.entry(number, None, cached=False)
        summary.failed.append(reason if reason.startswith(received.label) else f"{received.label}: {reason}")


def _run(
    missing: list[str],
    work: dict[str, _Work],
    submissions: dict[str, list[int]],
    record: Record,
    options: Options,
    summary: Summary,
    progress: Progress,
    graders: LocalPool | None,
) -> None:
    store = record.store

    def make(key: str) -> Job | None:
        # When its turn comes: another command on the same store may have graded it meanwhile.
        mine = work[key]
        record.keep(lambda: store.begin(mine.identity))
        if store.is_finished(key):
            finish(key, cached=True)
            return None
        known = {} if options.force else store.known_checks(mine.identity)
        for check in known.values():
            record.check(key, check, mine.identity, reused=True)
        with as_one(mine.received) as place, take(place) as taken:
            if taken.digest != mine.identity.digest:
                raise LabError(f"{mine.received.label} was changed while the class was graded; give the same command again.")
            archive = pack(taken.folder)
        return Job(
            key=key,
            label=mine.received.label,
            archive=archive,
            keyword=options.keyword,
            secret=(options.secret or b"").hex(),
            threads=pool.threads,
            unsandboxed=options.unsandboxed,
            known=tuple(check_to_plain(check) for check in known.values()),
        )

    def finish(key: str, *, cached: bool) -> None:
        for number in submissions[key]:
            record.entry(number, key, cached=cached)

    def on_check(job: Job, check: CheckResult) -> None:
        record.check(job.key, check, work[job.key].identity)
        progress.check()

    def on_outcome(outcome: Outcome) -> None:
        key, label = outcome.job.key, outcome.job.label
        if outcome.result is None:
            if outcome.kind == "setup":
                raise SetupError(outcome.fault)
            summary.failed.append(f"{label}: {outcome.fault}")
            summary.whole = summary.whole and outcome.kind == "submission"
        else:
            for check in outcome.result.checks:
                record.check(key, check, work[key].identity)
            result = dataclasses.replace(outcome.result, notes=work[key].notes)
            record.finish(key, result)
            if result.undecided:
                summary.whole = False
                summary.failed.append(f"{label}: the grader itself failed in a check; give the same command again")
            else:
                summary.graded += 1
        finish(key, cached=False)
        progress.done(label, failed=outcome.result is None)

    with _pool(options, graders) as pool:
        pool.run([lambda key=key: make(key) for key in missing], on_check, on_outcome)  # type: ignore[misc]


@contextmanager
def _pool(options: Options, graders: LocalPool | None) -> Iterator[Pool]:
    if graders is not None:
        yield graders
    elif options.scheduler:
        from grader.batch.cluster import ClusterPool

        yield ClusterPool(options.scheduler)
    else:
        with closing(LocalPool(options.processes)) as pool:
            yield pool


def _settings(options: Options) -> dict[str, Any]:
    limits = {name: value for name, value in dataclasses.asdict(configured()).items() if name != "threads"}
    # A fingerprint tells two secrets apart and tells nothing of either.
    secret = hmac.new(options.secret, b"fingerprint", hashlib.sha256).hexdigest() if options.secret else ""
    return {"secret": secret, "limits": limits}
