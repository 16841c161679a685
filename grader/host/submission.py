"""What a check talks to: the student's functions and the worker's tools, as if they were here.

    submission.data.load_label_map(folder)        calls the student's function in the worker
    submission.tools.batches(dataset, limit=3)     calls a tool of ours in the worker

Functions passed as arguments stay on this side and are called back. What comes back is data, or a `Handle` for what stays there.
"""

from __future__ import annotations

import builtins
import inspect
import re
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

from grader import capacity
from grader.channel.limits import Limits
from grader.channel.peer import Objects, Peer, Refusal, RemoteError
from grader.channel.values import Reference
from grader.errors import ChannelError, PeerGone, SetupError, ValueRefused
from grader.host.alone import no_other
from grader.host.answers import is_answer_of
from grader.host.heard import Heard
from grader.host.launch import Exit, Launcher, Room, WorkerProcess
from grader.host.limits import CROWDED, share_of_processors
from grader.host.scratch import MOST_LEVELS, Usage, empty, measure, usage
from grader.host.space import COME_BACK_S, Space
from grader.lab import SECTIONS
from grader.outcomes import CheckEnded, CheckFailed
from grader.results import Cause, Feedback, State

_CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

_STACK_FRAME: Final = re.compile(r"^ *(@ +0x.*|\*\*\* Check failure stack trace: \*\*\*)\n?", re.MULTILINE)
"""What TensorFlow prints after the line that says why it ended the process; a few dozen lines of it would hide that line."""

GRACE_S: Final = 5.0
"""How long a worker whose channel closed may take to end by itself, so that its own status tells why: on a quarter of a processor the
kernel took above 2 s to take one apart."""

MODEST_BYTES: Final = 3 * 2**29
"""A worker that took less than this is not why a machine ran out of memory: the reference's take 0.6 GiB at most."""

WATCH_S: Final = 0.1
"""How often a worker's scratch folder is looked at."""

STARVED: Final = 0.5
"""A worker that came to less than this part of the time it may have was late because of the machine. It is well below 1: how busy the
machine is as a whole tells when a loop without end is over, and by then it has had its `wall_s` only in about."""

_NO_LEAVE: Final = (
    "The grader runs your functions without network, other processes, or files but those it names: do the work in the function."
)
_RELATIVE: Final = "Your modules are a package: import from another one with a dot before its name, as in `from .data import make_dataset`."
_GROWING: Final = "Look for arrays that grow with the data."


class Handle:
    """A live object in the worker. It can be passed to further calls.

    Attributes:
        kind: Its class's name there, as the worker tells it.
        rows: What it was made from, when it is a list of records.
        record: The class of these records.
    """

    def __init__(self, reference: Reference) -> None:
        self.lab_reference = reference
        self.kind = clean(reference.kind, lines=1)
        self.rows: Sequence[Mapping[str, Any]] = ()
        self.record = ""

    def __repr__(self) -> str:
        return f"<{self.kind} in the worker>"


_DATASET: Final = "going through the dataset that make_dataset returned"
_MODEL: Final = "calling the model"
_TOOLS: Final = {"batches": _DATASET, "labels": _DATASET, "outputs": _MODEL}
"""What the tools do that run a student's code, in a student's words."""


class _Functions:
    """Turns attribute access into remote calls."""

    def __init__(self, call: Callable[[str, tuple[Any, ...], dict[str, Any]], Any]) -> None:
        self._call = call

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self._call(name, args, kwargs)


class Submission:
    """A submission in a worker. The worker starts at the first call, and again after it ended.

    Args:
        folder: The taken files of the submission.
        launcher: Starts workers.
        limits: What a worker may use; `limits.wall_s` counts from the worker's start.

    Attributes:
        folder: As given.
        scratch: A folder that the worker may read and write, made for this submission object and removed by `close`. What lies there is
            the worker's: read it with `grader.host.scratch.read`, which follows no link, and write nothing there.
        given: A folder for what a check writes for the worker to read; it may write nothing there.
        data, model, profiling, timing, training: The student's functions.
        tools: The worker's tools.
        peak_bytes: Largest resident memory of any worker that has ended.
        last_call: Module, function, arguments and keyword arguments of the student's function that was called last.
        called: The student's functions that were called so far, as `timing.time_online`.
    """

    data: Any
    model: Any
    profiling: Any
    timing: Any
    training: Any

    def __init__(self, folder: Path, launcher: Launcher, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits
        self._launcher = launcher
        self._worker: WorkerProcess | None = None
        self._peer: Peer | None = None
        self._guard: threading.Event | None = None
        self._watcher: threading.Thread | None = None
        self._came_back = 0
        self._ended_for: tuple[WorkerProcess, str] | None = None
        self._ended_for_memory = 0
        self._lasted_s = 0.0
        self.peak_bytes = 0
        self._room = Room.make(launcher.rooms)
        self._room.fill(folder)
        self.scratch = self._room.scratch
        self.given = self._room.given
        for section in SECTIONS:
            setattr(self, section, _Functions(self._student_call(section)))
        self.tools: Any = _Functions(self._tool_call)
        self._printed = ""
        self.last_call: tuple[str, str, tuple[Any, ...], dict[str, Any]] | None = None
        self.called: set[str] = set()
        self._heard = Heard()

    def without_its_words(self, text: str) -> str:
        """A text that we wrote, cut where it repeats what the worker has answered lately.

        Args:
            text: One line.

        Returns:
            The text up to the first words of the worker's in it, with an ellipsis; unchanged where there are none.
        """
        start = self._heard.place_in(text)
        if start is None:
            return text
        return f"{text[:start].rstrip()} …" if start else "what the function gave is not right"

    def leave(self) -> None:
        """Ends the worker without waiting until it has ended; `close` is still to be called."""
        if self._worker is not None:
            self._leave(self._worker)

    def close(self) -> None:
        """Ends the worker and removes the scratch folder."""
        self.restart()
        self._room.remove()

    def restart(self) -> None:
        """Ends the worker; the next call gets a fresh one with the whole time again."""
        if self._worker is not None:
            self._end()

    def begin_again(self) -> None:
        """Ends the worker, and takes away what it left in its scratch folder."""
        self.restart()
        empty(self.scratch)
        empty(self.given)

    @property
    def printed(self) -> str:
        """The last lines that the submission printed, without control characters."""
        return clean(self._worker.printed() if self._worker is not None else self._printed, lines=20)

    @property
    def printed_bytes(self) -> int:
        """How much this worker has printed so far."""
        return self._worker.printed_bytes() if self._worker is not None else 0

    def renew(self, limits: Limits) -> None:
        """Gives a submission that keeps its worker from check to check new time for the next one."""
        self.limits = limits
        if self._worker is not None:
            self._watch()

    def records(self, module: str, name: str, rows: Sequence[Mapping[str, Any]]) -> Handle:
        """A list of the submission's own records (`data.Example`, `profiling.Event`, ...), kept in the worker.

        Args:
            module: The module that defines the record.
            name: The record's class.
            rows: Field values by name.

        Returns:
            A handle for the list, to be passed to the student's functions.
        """
        handle: Handle = self.tools.records(module, name, [dict(row) for row in rows])
        handle.rows = rows
        handle.record = name
        return handle

    def _student_call(self, module: str) -> Callable[[str, tuple[Any, ...], dict[str, Any]], Any]:
        def call(function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            self.last_call = (module, function, args, kwargs)
            self.called.add(f"{module}.{function}")
            return self._call(f"{module}.{function}", "call", module=module, function=function, args=list(args), kwargs=kwargs)

        return call

    def _tool_call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        what = _TOOLS.get(name, f"what {name.replace('_', ' ')} was given")
        answer = self._call(what, "tool", name=name, args=list(args), kwargs=kwargs)
        if not is_answer_of(name, answer):
            summary = "something else than the grader's own tool answered in the submission's process"
            raise CheckEnded(State.FAILED, Cause.STUDENT_ERROR, Feedback(summary, help="Leave modules alone that are not your own."))
        return answer

    def _call(self, what: str, method: str, **params: Any) -> Any:
        try:
            peer = self._peer or self._start()
            answer = peer.call(method, **params)
            self._heard.note(answer)
            return answer
        except RemoteError as error:
            raise _outcome(what, error.what) from None
        except ValueRefused as error:
            # A check hands on what the submission gave it, or what lies in results/: what we draw ourselves can be sent.
            summary = f"{what}: what an earlier call gave, or a file of results/, cannot be handed on"
            raise CheckFailed(
                Feedback(f"{summary}: {error}", help="See the docstrings for what is to be returned.", safe=summary)
            ) from None
        except ChannelError as error:
            raise self._ended(what, error) from None
        except SetupError as error:
            if not self._launcher.usable:
                raise  # nothing can be graded here
            raise CheckEnded(State.UNDECIDED, Cause.GRADER_FAULT, Feedback(summary=str(error)), chance=True) from None
        except BaseException:
            # A callback of the check stopped the call half-way: the worker waits for an answer that will not come.
            self.restart()
            raise

    def _start(self) -> Peer:
        self._ended_for_memory = capacity.ended_for_memory()
        self._worker = self._launcher.start(self.limits, self._room)
        objects = Objects("host", proxy=Handle, may_refer=callable)
        self._peer = Peer(self._worker.reader, self._worker.writer, objects, _answer)
        self._watch()
        try:
            self._peer.call("hello", folder=str(self._room.submission), scratch=str(self.scratch))
        except ChannelError as error:
            # Nothing of the submission's has run yet.
            self._end()
            lines = clean(self._printed).splitlines()
            reason = lines[-1] if lines else str(error)
            raise SetupError(f"A worker could not be started ({reason}); run `lab doctor` to see what this machine lacks.") from None
        self._launcher.usable = True
        return self._peer

    def _watch(self) -> None:
        if self._guard is not None:
            self._guard.set()
        self._guard = threading.Event()
        arguments = (self._guard, self._worker, self.limits, Space(self.scratch.parent))
        self._watcher = threading.Thread(target=self._keep, args=arguments, daemon=True)
        self._watcher.start()

    def _keep(self, over: threading.Event, worker: WorkerProcess, limits: Limits, space: Space) -> None:
        """Ends a worker that takes too long, or writes too much; until `over` is set."""
        begun = last = time.monotonic()
        spent = 0.0
        while not over.wait(WATCH_S):
            now = time.monotonic()
            spent += (now - last) * share_of_processors()
            last = now
            late = spent >= limits.wall_s or now - begun >= limits.wall_s * CROWDED
            why = "time" if late else "disk" if usage(self.scratch, limits) is not Usage.FINE else ""
            if why and worker is self._worker and not over.is_set():
                self._lasted_s = now - begun
                self._ended_for = (worker, why)
                worker.kill()
            if why or (space.is_short() and self._make_space(over, worker, limits, space)):
                return

    def _make_space(self, over: threading.Event, worker: WorkerProcess, limits: Limits, space: Space) -> bool:
        """Ends a worker, since the disk is nearly full, and sees how much that gives back."""
        with ExitStack() as stack:
            # Neighbours end theirs one after the other, so that what one held is not put down to another.
            with suppress(SetupError, OSError):
                stack.enter_context(no_other("space"))
            if not space.is_short() or worker is not self._worker or over.is_set():
                return False
            before, self._came_back = space.free(), 0
            self._ended_for = (worker, "space")
            worker.kill()
            self._came_back = space.comes_back(before, limits.scratch_bytes)
        return True

    def _leave(self, worker: WorkerProcess) -> None:
        if self._guard is not None:
            self._guard.set()
        worker.kill()

    def _end(self) -> Exit:
        assert self._worker is not None
        self._leave(self._worker)
        ended = self._worker.wait()
        self._printed = self._worker.printed()
        self._worker.close()
        self.peak_bytes = max(self.peak_bytes, ended.peak_bytes)
        self._worker = self._peer = self._ended_for = None
        return ended

    def _ended(self, what: str, error: ChannelError) -> BaseException:
        # The channel broke. If the worker ended by itself, its own status tells why; give it a moment before it is killed.
        if self._worker is None:
            return CheckEnded(State.UNDECIDED, Cause.GRADER_FAULT, Feedback(summary=f"No worker could be started: {error}"))
        ended = (
            self._worker.wait(min(GRACE_S, self.limits.wall_s / 2))
            if isinstance(error, PeerGone) and self._ended_for is None
            else Exit(None)
        )
        killed = self._ended_for[1] if self._ended_for is not None and self._ended_for[0] is self._worker else ""
        at_last = self._end()
        if killed == "space":
            killed = "disk"
            if (full := self._full_disk(what)) is not None:
                return full
        if killed == "time" and at_last.own_s(self._lasted_s) < self.limits.wall_s * STARVED:
            return self._starved(what, at_last)
        if (fault := self._machines_fault(what, ended)) is not None:
            return fault
        printed = clean(_STACK_FRAME.sub("", self._printed), lines=20)
        cause, summary, advice = _why(what, ended, error, killed=killed, limits=self.limits, printed=printed)
        # The exit status and the last bytes on the channel are the submission's to choose, too.
        feedback = Feedback(summary=summary, help=advice, printed=printed, safe=f"{what} ended the check: {cause}")
        # A signal, or a channel that broke for no reason that is known.
        by_itself = not killed and (ended.code is None or ended.code < 0) and ended.code != -signal.SIGXCPU
        return CheckEnded(State.FAILED, cause, feedback, chance=by_itself)

    def _full_disk(self, what: str) -> CheckEnded | None:
        """What a disk without space ended, unless it was the worker that had taken more of it than it may."""
        if self._watcher is not None:
            self._watcher.join(2 * COME_BACK_S)
        if self._came_back + measure(self.scratch, self.limits).total > self.limits.scratch_bytes:
            return None
        summary = f"the disk of this machine was nearly full while {what} ran"
        advice = f"Make room where temporary files lie ({self._launcher.rooms.parent}), and grade again."
        return CheckEnded(State.UNDECIDED, Cause.GRADER_FAULT, Feedback(summary, help=advice), chance=True)

    def _starved(self, what: str, ended: Exit) -> CheckEnded:
        own_s = ended.own_s(self._lasted_s)
        came_to = f"came to {own_s:.1f} of the {self.limits.wall_s:g} s that it may take"
        summary = f"this machine was too busy: in {self._lasted_s:.0f} s {what} {came_to}"
        advice = "It costs no points. Grade again when this machine has less to do beside it."
        return CheckEnded(State.UNDECIDED, Cause.GRADER_FAULT, Feedback(summary, help=advice), chance=True)

    def _machines_fault(self, what: str, ended: Exit) -> CheckEnded | None:
        """What ended a worker from outside, where that can be told: nothing is held against the submission."""
        if not ended.orphaned and ended.code != -signal.SIGKILL:
            return None
        if capacity.ended_for_memory() > self._ended_for_memory and ended.peak_bytes < MODEST_BYTES:
            took = f", which had taken {ended.peak_bytes / 2**20:.0f} MiB" if ended.peak_bytes else ""
            summary = f"this machine ran out of memory while {what} ran{took}"
            advice = "Close other programs, or grade where there is more memory: `lab doctor` says how much it takes."
        elif ended.orphaned:
            summary, advice = f"something else ended the grader's own process while {what} ran", "Grade again."
        else:
            return None
        return CheckEnded(State.UNDECIDED, Cause.GRADER_FAULT, Feedback(summary, help=advice), chance=True)


_UNFIT: Final = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError)
"""What Python raises where a value is of the wrong kind."""


_signatures: Final[dict[tuple[Any, bool], inspect.Signature]] = {}
"""By the code of a function: a clock is called a thousand times, and looking at its parameters takes as long as the call itself."""


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    plain = getattr(function, "__func__", function)
    code = getattr(plain, "__code__", None)
    if code is None:
        return inspect.signature(function)
    # Not by the function: what it belongs to, a bench with all its readings, would be kept for as long as this process lives.
    key = (code, plain is not function)
    if key not in _signatures:
        _signatures[key] = inspect.signature(function)
    return _signatures[key]


def _answer(method: str, params: dict[str, Any]) -> Any:
    match params:
        case {"function": function, "args": list(args), "kwargs": dict(kwargs)} if method == "callback" and callable(function):
            try:
                _signature(function).bind(*args, **kwargs)
            except TypeError as error:
                raise Refusal(kind="signature", message=str(error)) from None
            try:
                return function(*args, **kwargs)
            except _UNFIT as error:
                # What it was called with is the submission's to choose; the reference and the wheats call it as it wants to be.
                summary = "a function that the grader passed was called with something that it is not made for"
                raise CheckFailed(
                    Feedback(summary, (f"{type(error).__name__}: {error}"[:200],), "See the docstring for what it takes.", safe=summary)
                ) from error
    raise Refusal(kind="refused", message="expected a callback")


def _outcome(what: str, error: dict[str, str]) -> BaseException:
    message = clean(error.get("message", ""))
    where = clean(error.get("where", ""), lines=1)
    kind = error.get("kind", "")
    name = clean(error.get("type", ""), lines=1)
    source = clean(error.get("source", ""), lines=1)
    lines = (f"the line is: {source}",) if source else ()
    # What the worker sends is the submission's to choose: a hidden example can be put into it.
    known = name if isinstance(getattr(builtins, name, None), type) else "an exception of its own"

    def ended(cause: Cause, summary: str, advice: str, safe: str) -> CheckEnded:
        return CheckEnded(State.FAILED, cause, Feedback(summary, lines, advice, where=where, safe=safe))

    match kind:
        case "not_started":
            return CheckEnded(
                State.NOT_STARTED, None, Feedback(f"not started yet: {where or what}", where=where, safe=f"not started yet: {what}")
            )
        case "memory":
            return ended(Cause.OUT_OF_MEMORY, f"{what} ran out of memory: {message or name}", _GROWING, f"{what} ran out of memory")
        case "import":
            own = name == "ModuleNotFoundError" and any(f"'{module}'" in message for module in SECTIONS)
            advice = _RELATIVE if own else "Mend this line first: nothing in the file can run before."
            summary = f"{where.partition(' ')[0]} cannot be imported: {name}: {message}"
            return ended(Cause.STUDENT_ERROR, summary, advice, f"the module of {what} cannot be imported: {known}")
        case "missing" | "signature":
            advice = "Keep the names and parameters of the stub: the grader calls the functions by them."
            return ended(Cause.STUDENT_ERROR, message, advice, f"{what} is missing, or cannot be called as the stub says")
        case "exit":
            return ended(
                Cause.STUDENT_ERROR,
                f"{what} ended the program ({name}) instead of returning",
                "Return a value; do not call exit().",
                f"{what} ended the program instead of returning",
            )
        case "refused":
            summary = f"{what} returned something that cannot be read"
            return CheckFailed(Feedback(f"{summary}: {message}", lines, where=where, safe=f"{summary} for a hidden example"))
    advice = _NO_LEAVE if name in ("PermissionError", "BlockingIOError") else ""
    safe = f"{what} raised {known} for a hidden example"
    bases = clean(error.get("bases", ""), lines=1).split(",")
    return CheckFailed(Feedback(f"{what} raised {name}: {message}", lines, advice, where=where, safe=safe), raised=(name, *bases))


def _why(what: str, ended: Exit, error: ChannelError, *, killed: str, limits: Limits, printed: str) -> tuple[Cause, str, str]:
    if killed == "time":
        return (
            Cause.TIME_OUT,
            f"{what} did not finish within {limits.wall_s:g} s",
            "Look for a loop that never ends, or work that grows with the data. Run it again if this machine was busy.",
        )
    if killed == "disk":
        most = f"{limits.scratch_bytes // 2**20} MB in {limits.scratch_files:,} files and {MOST_LEVELS} levels of folders"
        return Cause.DISK_LIMIT, f"{what} wrote more to disk than the {most} that a check may", "Write only what the docstring asks for."
    if not isinstance(error, PeerGone):
        return Cause.CRASH, f"{what} broke the connection to the grader: {clean(str(error))}", "Do not write to the grader's channel."
    if ended.code is None:
        return Cause.CRASH, f"{what} closed the connection to the grader", "Close only the files that you opened."
    if ended.code >= 0:
        advice = "Return a value; do not end the process."
        return Cause.CRASH, f"{what} ended the Python process with status {ended.code} before it returned", advice
    number = -ended.code
    if number == signal.SIGXCPU:
        return Cause.TIME_OUT, f"{what} used up its processor time", "Look for a loop that never ends."
    if number == signal.SIGABRT and "pthread_create() failed" in printed:
        return Cause.OUT_OF_MEMORY, f"{what} was ended by TensorFlow: there was no memory left for one more thread", _GROWING
    if number == signal.SIGKILL or (number == signal.SIGABRT and ("bad_alloc" in printed or "out of memory" in printed.lower())):
        return Cause.OUT_OF_MEMORY, f"{what} was ended by the system, most likely for lack of memory", _GROWING
    return (
        Cause.CRASH,
        f"{what} crashed the Python process ({_signal_name(number)})",
        "Run the function by itself in Python to see the crash.",
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has only a number
        return f"signal {number}"


def clean(text: str, *, lines: int = 6) -> str:
    """Text of a submission's without control characters (escape sequences, bidirectional marks), cut to its last lines.

    Args:
        text: Anything a worker sent.
        lines: How many lines to keep, from the end.

    Returns:
        At most `lines` lines of at most 400 characters.
    """
    kept = _CONTROL.sub("", text).strip("\n").splitlines()[-lines:]
    return "\n".join(line[:400] for line in kept)
