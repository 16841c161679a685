"""The pytest plugin that turns a run of the rubric into results. `pytest grader` and `lab grade` both run through it."""

from __future__ import annotations

import dataclasses
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import hypothesis
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import grader
from grader.artifacts import MissingResults, Results
from grader.checks.check import CheckSpec, seed_of
from grader.checks.drawn import Drawn
from grader.checks.paste import as_code
from grader.checks.suspects import Suspects
from grader.checks.vocabulary import in_own_words
from grader.errors import LabError, ResultsError, SetupError
from grader.host import limits
from grader.host.alone import machine_turn
from grader.host.intake import Taken
from grader.host.launch import Launcher
from grader.host.submission import Submission
from grader.outcomes import CheckEnded, CheckFailed
from grader.results import Cause, CheckResult, Feedback, GradeResult, State

Listener = Callable[[CheckResult], None]

DRAWN: Final = Drawn()
"""For all runs of this process."""

OWN_CPU_S: Final = 60.0
"""Processor time of the grader's own process for one check; all checks of the reference together take 7 s of it."""


class RubricRun:
    """One run of the rubric on one submission.

    Args:
        taken: The submission.
        launcher: Starts workers.
        secret: The course's secret, or None for the public seed.
        listener: Called with each check's result as it falls.
        known: Results of earlier runs, by the check's name; these checks are not run again.
        threads: Threads that TensorFlow may use in a worker; 0 for as many as it likes.
        until: Asked after each result; the checks after the first one that it is true of are not run.

    Attributes:
        called: Which of the submission's functions each check called, as `timing.time_online`, by the check's name.
        setup_error: Why no worker could be started at all; the run stops then.
        peak_bytes: Largest resident memory of any worker that has ended.
    """

    def __init__(
        self,
        taken: Taken,
        launcher: Launcher,
        secret: bytes | None,
        listener: Listener | None,
        *,
        known: Mapping[str, CheckResult] | None = None,
        threads: int = 0,
        until: Callable[[CheckResult], bool] | None = None,
    ) -> None:
        self._until = until
        self._taken = taken
        self._launcher = launcher
        self._secret = secret
        self._listener = listener
        self._started = time.monotonic()
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._known = known or {}
        self._threads = threads
        self._order: list[str] = []
        self._results: dict[str, CheckResult] = {}
        self._selected: set[str] = set()
        self._collected: set[str] = set()
        self._check_started = 0.0
        self._submission: Submission | None = None
        self.peak_bytes = 0
        self.called: dict[str, frozenset[str]] = {}
        self.setup_error: SetupError | None = None

    def result(self) -> GradeResult:
        """The result of what has run so far."""
        return GradeResult(
            submission=self._taken.name,
            digest=self._taken.digest,
            checks=tuple(self._results[name] for name in self._order if name in self._results),
            official=self._secret is not None,
            grader_version=grader.__version__,
            isolation=str(self._launcher.isolation),
            started_at=self._started_at,
            duration_s=round(time.monotonic() - self._started, 3),
            notes=self._taken.notes,
        )

    def close(self) -> None:
        """Ends the last worker."""
        self._close(self._submission)
        self._submission = None

    def _close(self, submission: Submission | None) -> None:
        if submission is not None:
            submission.close()
            self.peak_bytes = max(self.peak_bytes, submission.peak_bytes)

    @pytest.fixture
    def submission(self, request: pytest.FixtureRequest) -> Iterator[Submission]:
        """The submission in a worker of its own (where workers are cheap), with a scratch folder of its own."""
        limit = limits.for_check(_spec(request.node).wall_s)
        if self._threads:
            limit = dataclasses.replace(limit, threads=self._threads)
        if not self._launcher.fresh:
            limit = limits.slow_start(limit)
        before = None
        if self._submission is not None and not self._launcher.fresh:
            self._submission.renew(limit)
        else:
            before, self._submission = self._submission, Submission(self._taken.folder, self._launcher, limit)
        self._submission.called.clear()
        yield self._submission
        self.called[_name(request.node)] = frozenset(self._submission.called)
        if self._launcher.fresh:
            self._submission.leave()
        self._close(before)  # its worker has ended meanwhile: nobody waited for that

    @pytest.fixture
    def results(self) -> Results:
        """What the student measured."""
        return Results(self._taken.folder)

    @pytest.fixture
    def folder(self) -> Any:
        """The folder of the taken submission."""
        return self._taken.folder

    @pytest.fixture
    def seed(self, request: pytest.FixtureRequest) -> bytes:
        """32 bytes of this check's own seed."""
        return seed_of(self._secret, _name(request.node))

    @pytest.fixture
    def rng(self, request: pytest.FixtureRequest) -> np.random.Generator:
        """Random numbers of this check's own seed."""
        return np.random.default_rng(list(seed_of(self._secret, _name(request.node))))

    @pytest.fixture
    def suspects(self) -> Suspects:
        """Known mistakes that fit all answers of this check so far."""
        return Suspects()

    def pytest_configure(self, config: pytest.Config) -> None:
        """Does without tracebacks, which nobody is shown: pytest reads and parses the source of each frame for one."""
        config.option.tbstyle = "no"

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Notes every check, also those that -k leaves out."""
        self._collected.add(_function(item))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Seeds each check that draws examples, notes which checks will run, and leaves out what is known."""
        self._order = list(dict.fromkeys(_name(item) for item in items))
        self._results |= {name: self._known[name] for name in self._order if name in self._known}
        items[:] = [item for item in items if _name(item) not in self._known]
        for item in items:
            self._selected.add(_name(item))
            function = getattr(item, "obj", None)
            if function is not None and hypothesis.is_hypothesis_test(function):
                value = int.from_bytes(seed_of(self._secret, _name(item)), "big")
                hypothesis.seed(value)(getattr(function, "__func__", function))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Any:
        """Draws what checks will need as long as there is no worker to ask anything, then runs them."""
        # One thread for NumPy's products, and not one a core: several gradings would be in one another's way, and sums are added up in the
        # same order on every machine.
        with threadpool_limits(1, user_api="blas"):
            self._draw(session.items)
            return (yield)

    def _draw(self, items: list[pytest.Item]) -> None:
        for item in items:
            if self._launcher.ready:
                return
            name, spec = _name(item), _spec(item)
            if spec.prepare is not None:
                spec.prepare(seed_of(self._secret, name))
            if hypothesis.is_hypothesis_test(item.obj):  # type: ignore[attr-defined]
                DRAWN.draw(item.obj, (name, seed_of(self._secret, name)), dict.fromkeys(_arguments(item)))  # type: ignore[attr-defined]

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool:
        """Runs a check, once more where what ended it may have come by chance."""
        try:
            self._run(pyfuncitem)
        except CheckEnded as error:
            if not error.chance:
                raise
            self._begin_again(pyfuncitem)
            self._run(pyfuncitem)
        return True

    def _run(self, item: pytest.Function) -> None:
        with _own_time():
            self._run_on(item)

    def _run_on(self, item: pytest.Function) -> None:
        given = {argument: item.funcargs[argument] for argument in _arguments(item)}
        if self._launcher.fresh and hypothesis.is_hypothesis_test(item.obj):
            # On the examples that were drawn before, where a new worker costs little.
            key = (_name(item), seed_of(self._secret, _name(item)))
            DRAWN.run(item.obj, key, given, lambda: self._begin_again(item))
        else:
            item.obj(**given)

    def _begin_again(self, item: pytest.Function) -> None:
        """Makes everything as it was before a check."""
        if isinstance(submission := item.funcargs.get("submission"), Submission):
            submission.begin_again()
        if isinstance(suspects := item.funcargs.get("suspects"), Suspects):
            suspects.clear()
        if "rng" in item.funcargs:
            item.funcargs["rng"] = np.random.default_rng(list(seed_of(self._secret, _name(item))))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        """Holds the machine's turn while a check runs, so that one that times something has no neighbours."""
        with machine_turn(alone=_spec(item).alone):
            return (yield)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Stops a check whose needs did not pass."""
        self._check_started = time.monotonic()
        section = _name(item).partition("/")[0]
        for need in _spec(item).needs:
            other = self._results.get(f"{section}/{need}")
            if other is None or other.state in (State.PASSED, State.PARTIAL):
                continue
            if other.state is State.NOT_STARTED and other.feedback is not None:
                raise CheckEnded(State.NOT_STARTED, None, other.feedback)
            summary = f"could not run: it needs `{other.name}`, which did not pass"
            raise CheckEnded(State.COULD_NOT_RUN, Cause.COULD_NOT_RUN, Feedback(summary, help=f"Mend `{other.name}` first."))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Makes the check's result when it has run, or when it could not be set up."""
        name = _name(item)
        if call.when == "call" or (call.when == "setup" and call.excinfo is not None):
            if call.excinfo is not None and isinstance(call.excinfo.value, SetupError):
                self.setup_error = call.excinfo.value
                item.session.shouldstop = "no worker can be started"
                return (yield)
            result = self._judge(item, call)
            self._results[name] = result
            if self._listener is not None:
                self._listener(result)
            if self._until is not None and self._until(result):
                item.session.shouldfail = "what was to be found is found"
        return (yield)

    def _judge(self, item: pytest.Item, call: pytest.CallInfo[None]) -> CheckResult:
        spec = _spec(item)
        name = _name(item)
        state, share = State.PASSED, 0.0
        cause: Cause | None = None
        feedback: Feedback | None = None
        error = call.excinfo.value if call.excinfo is not None else None
        match error:
            case None:
                share = 1.0
            case CheckFailed():
                feedback, share = error.feedback, error.earned
                state, cause = (State.PARTIAL if share else State.FAILED), Cause.STUDENT_ERROR
            case hypothesis.errors.FlakyFailure() if (failure := _failure_in(error)) is not None:
                # Wrong for an example, and right when it was tried again: an answer by chance, or one that depends on earlier calls.
                state, cause = State.FAILED, Cause.STUDENT_ERROR
                lines = ("called again with the same arguments, the answer was another one", *failure.feedback.comparison)
                advice = "The answer must follow from the arguments alone: look for random numbers, and for variables that outlive a call."
                feedback = dataclasses.replace(failure.feedback, comparison=lines, help=advice)
            case CheckEnded():
                state, cause, feedback = error.state, error.cause, error.feedback
                share = 1.0 if state is State.PASSED else 0.0
            case MissingResults():
                state, feedback = State.NOT_STARTED, Feedback(f"not started yet: {error} It is written by `lab measure`.")
            case ResultsError():
                state, cause, feedback = State.FAILED, Cause.STUDENT_ERROR, Feedback(str(error))
            case LabError():
                state, cause, feedback = State.UNDECIDED, Cause.GRADER_FAULT, Feedback(str(error))
            case _:
                state, cause = State.UNDECIDED, Cause.GRADER_FAULT
                text = (
                    f"the grader itself failed in this check ({type(error).__name__}: {str(error)[:200]}); it costs no points, run it again"
                )
                safe = "the grader itself failed in this check; it costs no points, run it again"
                feedback = Feedback(text, help="Tell your instructor if it happens again.", safe=safe)
        if feedback is not None:
            feedback = self._complete(feedback, state)
        return CheckResult(
            name=name,
            title=_title(item),
            state=state,
            points=spec.points,
            earned=round(spec.points * share, 2),
            duration_s=round(time.monotonic() - self._check_started, 4),
            cause=cause,
            feedback=feedback,
            hidden=self._secret is not None and _draws(item),
            command=f"pytest grader -k {self._keyword(item)}",
        )

    def _keyword(self, item: Any) -> str:
        """What -k needs to select this check and no other."""
        word = _function(item).removeprefix("test_")
        alone = sum(word in other for other in self._collected) == 1
        return word if alone else f'"{_name(item).partition("/")[0]} and {word}"'

    def _complete(self, feedback: Feedback, state: State) -> Feedback:
        submission = self._submission
        if state in (State.PASSED, State.NOT_STARTED):
            return feedback
        heard = submission.without_its_words(feedback.summary) if submission is not None else feedback.summary
        safe = feedback.safe or in_own_words(heard)
        feedback = dataclasses.replace(feedback, safe=safe if safe != feedback.summary else "")
        if submission is None or state is not State.FAILED:
            return feedback
        # No example can show what keeps a file from being imported, or a function from being found.
        shows = (
            submission.last_call is not None and "cannot be imported" not in feedback.summary and "has no function" not in feedback.summary
        )
        example = feedback.example or (as_code(*submission.last_call) if submission.last_call and shows else "")
        return dataclasses.replace(feedback, example=example, printed=feedback.printed or submission.printed)


@contextmanager
def _own_time() -> Iterator[None]:
    """Bounds what this process itself works on one check: an answer may be small, and take hours to be looked at."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: object) -> None:
        summary = "what the submission gave takes too long to be looked at"
        raise CheckEnded(State.FAILED, Cause.TIME_OUT, Feedback(summary, help="Give what the docstring asks for, and no more of it."))

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, OWN_CPU_S, OWN_CPU_S / 10)  # again, should something swallow the first one
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _spec(item: Any) -> CheckSpec:
    spec = getattr(item.obj, "lab_check", None)
    if spec is None:
        raise CheckEnded(State.UNDECIDED, Cause.GRADER_FAULT, Feedback(f"{item.nodeid} is not marked as a check"))
    assert isinstance(spec, CheckSpec)
    return spec


def _arguments(item: Any) -> tuple[str, ...]:
    """Names of the fixtures that a check has as parameters."""
    names: tuple[str, ...] = item._fixtureinfo.argnames
    return names


def _draws(item: Any) -> bool:
    """Whether a check's examples follow from the seed; the others look at what the student handed in."""
    return hypothesis.is_hypothesis_test(item.obj) or bool({"rng", "seed"} & set(item.fixturenames))


def _failure_in(group: BaseExceptionGroup[BaseException]) -> CheckFailed | None:
    for error in group.exceptions:
        if isinstance(error, CheckFailed):
            return error
    return None


def _function(item: Any) -> str:
    return str(item.name).partition("[")[0]


def _name(item: Any) -> str:
    section = item.path.stem.removeprefix("test_")
    check = _function(item).removeprefix("test_").removeprefix(f"{section}_")
    return f"{section}/{check}"


def _title(item: Any) -> str:
    lines = (item.obj.__doc__ or item.name).strip().splitlines()
    return str(lines[0])
