"""A submission that misbehaves costs itself the check it misbehaves in: the cause is named, and the next check starts anew."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from grader import capacity
from grader.channel.limits import Limits
from grader.errors import SetupError
from grader.grade import grade
from grader.host.launch import Exit, Launcher, Room, SubprocessLauncher, WorkerProcess, ZygoteLauncher
from grader.host.submission import Submission
from grader.outcomes import CheckEnded, CheckFailed
from grader.results import Cause, CheckResult, Feedback, GradeResult, State

from .conftest import SOLUTIONS, Make

Graded = Callable[[Path, str], GradeResult]
Started = Callable[..., Submission]

HEAD = "def early_stopping(val_losses, min_delta, patience):\n"
RIGHT = """
    best, best_epoch = val_losses[0], 1
    for epoch, loss in enumerate(val_losses, start=1):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            return Stop(epoch, best_epoch)
    return Stop(len(val_losses), best_epoch)
"""

FAULTS = {
    "sys.exit": ("    import sys; sys.exit(0)", Cause.STUDENT_ERROR, "ended the program (SystemExit)"),
    "os._exit(0)": ("    import os; os._exit(0)", Cause.CRASH, "with status 0"),
    "os._exit(3)": ("    import os; os._exit(3)", Cause.CRASH, "with status 3"),
    "hang": ("    while True: pass", Cause.TIME_OUT, "did not finish within 3 s"),
    "hang in C": ("    import ctypes; ctypes.PyDLL(None).sleep(60)", Cause.TIME_OUT, "did not finish within 3 s"),
    "hang that ignores signals": (
        "    import signal, time\n    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\n    time.sleep(60)",
        Cause.TIME_OUT,
        "did not finish within 3 s",
    ),
    "segfault": ("    import ctypes; ctypes.string_at(0)", Cause.CRASH, "SIGSEGV"),
    "abort": ("    import os; os.abort()", Cause.CRASH, "SIGABRT"),
    "memory": ("    return bytearray(8 * 2**30)", Cause.OUT_OF_MEMORY, "ran out of memory"),
    "memory bit by bit": (
        "    import numpy as np\n    kept = []\n    while True: kept.append(np.zeros(2**27))",
        Cause.OUT_OF_MEMORY,
        "ran out of memory",
    ),
    "no memory for a thread": (
        "    import mmap\n    import tensorflow as tf\n    kept, size = [], 2**31\n    while size > 2**20:\n"
        "        try: kept.append(mmap.mmap(-1, size))\n        except OSError: size //= 2\n"
        "    return list(tf.data.Dataset.range(2).prefetch(1))",
        Cause.OUT_OF_MEMORY,
        "no memory left for one more thread",
    ),
    "KeyboardInterrupt": ("    raise KeyboardInterrupt", Cause.STUDENT_ERROR, "ended the program (KeyboardInterrupt)"),
    "GeneratorExit": ("    raise GeneratorExit", Cause.STUDENT_ERROR, "ended the program (GeneratorExit)"),
    "skip": ("    import unittest; raise unittest.SkipTest('all fine')", Cause.STUDENT_ERROR, "raised SkipTest"),
    "pytest.skip": ("    import pytest; pytest.skip('all fine')", Cause.STUDENT_ERROR, "raised Skipped"),
    "recursion": ("    return early_stopping(val_losses, min_delta, patience)", Cause.STUDENT_ERROR, "RecursionError"),
    "message that raises": (
        "    class Odd(Exception):\n        def __str__(self): raise SystemExit\n    raise Odd",
        Cause.STUDENT_ERROR,
        "could not be read",
    ),
    "not implemented elsewhere": (
        "    import tensorflow as tf\n    return next(iter(tf.data.Dataset.range(2).map(lambda x: sum(__import__('numpy').asarray(x)))))",
        Cause.STUDENT_ERROR,
        "raised NotImplementedError",
    ),
    "channel closed": ("    import os, time\n    os.closerange(3, 64)\n    time.sleep(60)", Cause.CRASH, "closed the connection"),
    "garbage in the channel": ("    import os; os.write(3, b'\\0\\0\\0\\5hello')", Cause.CRASH, "broke the connection"),
    "huge frame announced": ("    import os, time\n    os.write(3, b'\\xff' * 8)\n    time.sleep(60)", Cause.CRASH, "broke the connection"),
}


def one(result: GradeResult, name: str) -> CheckResult:
    """The result of one check."""
    return next(check for check in result.checks if check.name == f"training/{name}")


@pytest.mark.parametrize(("body", "cause", "words"), FAULTS.values(), ids=FAULTS)
def test_fault_costs_one_check(make: Make, graded: Graded, body: str, cause: Cause, words: str) -> None:
    """The check that meets the fault fails with its cause named; the next one has a new worker and earns its points."""
    result = graded(make(training=f"{HEAD}{body}\n"), "training and (early_stopping or epochs_needed)")
    hit, next_one = one(result, "early_stopping"), one(result, "epochs_needed")
    assert (hit.state, hit.earned, hit.cause) == (State.FAILED, 0, cause), hit.feedback
    assert hit.feedback is not None
    assert words in hit.feedback.summary
    assert (next_one.state, next_one.earned) == (State.PASSED, next_one.points), next_one.feedback


def test_kill_by_the_system_is_lack_of_memory(bare: Launcher, started: Started) -> None:
    """A worker that SIGKILL ends was, most likely, ended for its memory: under seccomp it cannot send that itself."""
    with pytest.raises(CheckEnded) as ended:
        started(bare, "import os\ndef f(): os.kill(0, 9)\n").training.f()
    assert ended.value.cause is Cause.OUT_OF_MEMORY
    assert "ended by the system" in ended.value.feedback.summary


def test_full_disk_has_its_own_cause(shared: Launcher, started: Started) -> None:
    """A check that writes more bytes, or more files, than it may is ended, and told so; its scratch folder is removed."""
    for body in (
        "open('x', 'wb').write(bytes(2**26))\n    time.sleep(60)",
        "[open(str(n), 'w').close() for n in range(3000)]\n    time.sleep(60)",
    ):
        submission = started(shared, f"import time\ndef f():\n    {body}\n", wall_s=30.0)
        submission.limits = replace(submission.limits, scratch_bytes=2**25, scratch_files=1000)
        with pytest.raises(CheckEnded) as ended:
            submission.training.f()
        assert ended.value.cause is Cause.DISK_LIMIT
        assert "32 MB in 1,000 files" in ended.value.feedback.summary
        submission.close()
        assert not submission.scratch.exists()


def test_settings_of_tensorflow_that_come_too_late_are_left_out(shared: Launcher, started: Started) -> None:
    """What is legal at the head of a program does not end a module's import, whether a call or a tool imports it."""
    head = (
        "import tensorflow as tf\ntf.config.threading.set_intra_op_parallelism_threads(1)\ntf.config.set_visible_devices([], 'CPU')\n"
        "class Row:\n    def __init__(self, n): self.n = n\ndef f(rows): return len(rows)\n"
    )
    for first in ("call", "tool"):
        submission = started(shared, head, wall_s=60.0)
        submission.tools.make_network([{"kind": "Dense", "name": "d", "units": 2, "activation": "relu"}], [3])
        rows = [1, 2] if first == "call" else submission.records("training", "Row", [{"n": 1}, {"n": 2}])
        assert submission.training.f(rows) == 2


def test_neighbours_do_not_cost_time(shared: Launcher, started: Started) -> None:
    """On a machine that others keep busy a check has more time by the clock on the wall, so that a right answer is not late."""
    submission = started(shared, "import time\ndef f(wait_s):\n    time.sleep(wait_s)\n    return 1\n", wall_s=1.0)
    assert submission.training.f(0) == 1  # the worker runs
    crowd = 6 * (os.cpu_count() or 1)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(crowd)]
    try:
        submission.renew(submission.limits)
        assert submission.training.f(2.5) == 1
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_worker_that_hardly_gets_a_processor_is_not_late(shared: Launcher, started: Started) -> None:
    """Where others leave next to nothing, the machine is told to be too busy; the same call is late where nobody is in the way."""
    submission = started(shared, "def f():\n    while True: pass\ndef g(): return 1\n", wall_s=1.0)
    assert submission.training.g() == 1  # the worker runs
    # Each in a session of its own: where the kernel shares processors between sessions, each counts as much as all that the workers are.
    busy = [
        subprocess.Popen(["sh", "-c", "while :; do :; done"], start_new_session=True, stdin=subprocess.DEVNULL)
        for _ in range(30 * (os.cpu_count() or 1))
    ]
    try:
        submission.renew(submission.limits)
        with pytest.raises(CheckEnded) as ended:
            submission.training.f()
    finally:
        for process in busy:
            process.kill()
        for process in busy:
            process.wait()
    assert (ended.value.state, ended.value.cause) == (State.UNDECIDED, Cause.GRADER_FAULT), ended.value.feedback
    # No seconds are asked for: the watcher stands in line as well.
    assert re.fullmatch(r"this machine was too busy: in \d+ s training\.f came to 0\.\d of the 1 s .*", ended.value.feedback.summary)
    submission.renew(submission.limits)
    with pytest.raises(CheckEnded) as ended:
        submission.training.f()
    assert (ended.value.state, ended.value.cause) == (State.FAILED, Cause.TIME_OUT), ended.value.feedback


@pytest.mark.parametrize(
    ("ran_s", "waited_s", "lasted_s", "own_s"),
    [(0, 0, 30, 30), (30, 0, 30, 30), (2, 238, 240, 2), (2, 18, 240, 222), (60, 60, 60, 30), (0, 240, 240, 0)],
)
def test_own_time(ran_s: float, waited_s: float, lasted_s: float, own_s: float) -> None:
    """What threads waited for a processor is taken off, and what they slept is not."""
    assert Exit(None, ran_s=ran_s, waited_s=waited_s).own_s(lasted_s) == pytest.approx(own_s)


LIES = {
    "None": ("return None", "is there a return?"),
    "NaN": ("return {'epochs_run': float('nan'), 'best_epoch': 1}", "should be an integer"),
    "float": ("return {'epochs_run': 1.0, 'best_epoch': 1}", "should be an integer"),
    "bool": ("return {'epochs_run': True, 'best_epoch': True}", "should be an integer"),
    "missing field": ("return {'epochs_run': 1}", "lacks best_epoch"),
    "list": ("return [1, 1]", "should be a Stop"),
    "generator": ("return (n for n in (1, 1))", "should be a Stop"),
    "function": ("return early_stopping", "should be a Stop"),
    "equal to everything": (
        "\n    class All:\n        def __eq__(self, _): return True\n        __hash__ = None\n"
        "    return {'epochs_run': All(), 'best_epoch': All()}",
        "should be an integer",
    ),
    "array that lies": (
        "\n    import numpy as np\n    class Liar(np.ndarray):\n        def __eq__(self, _): return True\n"
        "        def __array_ufunc__(self, *a, **k): return True\n"
        "    return {'epochs_run': np.zeros(2).view(Liar), 'best_epoch': np.zeros(2).view(Liar)}",
        "should be an integer",
    ),
    "empty array": ("\n    import numpy as np\n    return {'epochs_run': np.zeros(0, int), 'best_epoch': 1}", "should be an integer"),
    "huge integer": ("return {'epochs_run': 10**30, 'best_epoch': 1}", "cannot be read"),
    "itself": ("\n    found = []\n    found.append(found)\n    return found", "cannot be read"),
    "too large": ("\n    import numpy as np\n    return np.zeros(2**25, 'f4')", "cannot be read"),
    "escape sequences": ("return '\\x1b[2J\\x1b[31m100 passed \\u202e'", "should be a Stop"),
    "escape sequences in a class name": ("return type('\\x1b[2J', (), {})()", "should be a Stop"),
    "attributes that raise": (
        "\n    class Bad:\n        def __getattribute__(self, name): raise SystemError\n    return Bad()",
        "cannot be read",
    ),
    "another answer each time": (
        "\n    import random\n    return Stop(random.randint(1, 9**9), random.randint(1, 9**9))",
        "",
    ),
}


@pytest.mark.parametrize(("body", "words"), LIES.values(), ids=LIES)
def test_lies_are_wrong_answers(make: Make, graded: Graded, body: str, words: str) -> None:
    """An answer of the wrong kind, or one that claims to equal everything, is the student's mistake: failed, never undecided."""
    result = graded(make(training=f"{HEAD}    {body}\n"), "training and (early_stopping or epochs_needed)")
    hit = one(result, "early_stopping")
    assert (hit.state, hit.earned, hit.cause) == (State.FAILED, 0, Cause.STUDENT_ERROR), hit.feedback
    assert hit.feedback is not None
    told = "\n".join((hit.feedback.summary, *hit.feedback.comparison))
    assert words in told
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert one(result, "epochs_needed").state is State.PASSED


@pytest.mark.parametrize("chance", [0.05, 0.6])
def test_chance_is_no_way_out(make: Make, graded: Graded, chance: float) -> None:
    """A function that is right in some calls and wrong in others fails; it does not count as a fault of the grader."""
    body = f"""
    import random
    if random.random() < {chance}:
        return Stop(0, 0)
"""
    for _ in range(3):
        hit = one(graded(make(training=HEAD + body + RIGHT), "training and early_stopping"), "early_stopping")
        assert (hit.state, hit.earned, hit.cause) == (State.FAILED, 0, Cause.STUDENT_ERROR), hit.feedback


def test_forged_replies_earn_nothing(make: Make, graded: Graded) -> None:
    """Answering before the grader has asked breaks the channel's order, and is a crash."""
    body = """
    import os, msgpack
    for number in range(2, 400):
        frame = msgpack.packb({"reply": number, "value": {"epochs_run": 1, "best_epoch": 1}})
        os.write(3, len(frame).to_bytes(4, "big") + frame)
    """
    hit = one(graded(make(training=HEAD + body + "\n    return Stop(1, 1)\n"), "training and early_stopping"), "early_stopping")
    assert (hit.state, hit.earned) == (State.FAILED, 0)


def test_noise_does_not_change_a_score(make: Make, graded: Graded) -> None:
    """Megabytes on standard output and error, invalid bytes, and claims of success leave a right answer right."""
    noise = """
    import os, sys, warnings
    print("=== 100 passed in 0.01s ===", "x" * 200_000)
    print("\\x1b[2J", file=sys.stderr)
    os.write(1, bytes(range(256)) * 100)
    os.write(2, b"\\xff\\xfe" * 1000)
    warnings.warn("a warning")
"""
    hit = one(
        graded(make(training=HEAD + noise + RIGHT), "training and early_stopping"),
        "early_stopping",
    )
    assert (hit.state, hit.earned) == (State.PASSED, hit.points), hit.feedback


def test_what_was_printed_is_shown_without_control_characters(make: Make, graded: Graded) -> None:
    """The last lines that a failing check printed are in its feedback, as plain text."""
    body = "    print('loss is', '\\x1b[31m', 7)\n    return None\n"
    hit = one(graded(make(training=HEAD + body), "training and early_stopping"), "early_stopping")
    assert hit.feedback is not None
    assert "loss is" in hit.feedback.printed
    assert "\x1b" not in hit.feedback.printed


MODULES = {
    "syntax error": ("def early_stopping(:\n", Cause.STUDENT_ERROR, "cannot be imported: SyntaxError", "assignment/training.py:1"),
    "import error": ("import no_such_module\n", Cause.STUDENT_ERROR, "ModuleNotFoundError", "assignment/training.py:1"),
    "error while imported": ("\n\nx = 1 / 0\n", Cause.STUDENT_ERROR, "ZeroDivisionError", "assignment/training.py:3"),
    "exit while imported": ("import sys\nsys.exit(0)\n", Cause.STUDENT_ERROR, "SystemExit", "training"),
    "renamed": (
        "def early_stop(a, b, c): ...\n",
        Cause.STUDENT_ERROR,
        "no function early_stopping; its functions are: early_stop",
        "training.py",
    ),
    "other signature": (
        "def early_stopping(losses): ...\n",
        Cause.STUDENT_ERROR,
        "early_stopping(losses), and cannot be called",
        "training.py:1",
    ),
    "not a function": ("early_stopping = 5\n", Cause.STUDENT_ERROR, "no function early_stopping", "training.py"),
    "not text": ("\0\0\0", Cause.STUDENT_ERROR, "cannot be imported", "training"),
}


@pytest.mark.parametrize(("source", "cause", "words", "where"), MODULES.values(), ids=MODULES)
def test_module_that_cannot_be_used(make: Make, graded: Graded, source: str, cause: Cause, words: str, where: str) -> None:
    """A module that cannot be imported, or lacks the function, says where; the other modules are graded as if nothing was."""
    folder = make()
    (folder / "training.py").write_text(source, encoding="utf-8")
    result = graded(folder, "early_stopping or conv_output_size")
    hit = one(result, "early_stopping")
    assert (hit.state, hit.earned, hit.cause) == (State.FAILED, 0, cause), hit.feedback
    assert hit.feedback is not None
    assert words in hit.feedback.summary
    assert where in f"{hit.feedback.summary} {hit.feedback.where}"
    assert next(check for check in result.checks if check.name == "model/conv_output_size").state is State.PASSED


def test_missing_module_is_named(make: Make, graded: Graded) -> None:
    """A file that was not handed in is named, in each of its checks."""
    folder = make()
    (folder / "training.py").unlink()
    hit = one(graded(folder, "early_stopping"), "early_stopping")
    assert (hit.state, hit.cause) == (State.FAILED, Cause.STUDENT_ERROR)
    assert hit.feedback is not None
    assert "training.py is missing" in hit.feedback.summary


# --- what a submission leaves behind

LEFT = {
    "threads": """
import threading, time
def f():
    for daemon in (True, False):
        threading.Thread(target=time.sleep, args=(60,), daemon=daemon).start()
    return []
""",
    "child": """
import os, time
def f():
    pid = os.fork()
    if not pid:
        time.sleep(60)
    return [pid]
""",
    "child in its own session": """
import os, time
def f():
    pid = os.fork()
    if not pid:
        os.setsid()
        time.sleep(60)
    return [pid]
""",
    "daemon": """
import os, time
def f():
    reader, writer = os.pipe()
    if not os.fork():
        os.setsid()
        if not os.fork():
            os.write(writer, str(os.getpid()).encode())
            time.sleep(60)
        os._exit(0)
    return [int(os.read(reader, 20))]
""",
    "subprocess": "import subprocess\ndef f():\n    return [subprocess.Popen(['sleep', '60'], start_new_session=True).pid]",
    "atexit": "import atexit, time\ndef f():\n    atexit.register(time.sleep, 60)\n    return []",
}


@pytest.mark.parametrize("source", LEFT.values(), ids=LEFT)
def test_nothing_outlives_a_check(bare: Launcher, started: Started, source: str) -> None:
    """Threads, children and daemons in sessions of their own are gone when the check is over."""
    submission = started(bare, source + "\ndef me():\n    import os\n    return os.getpid()\n")
    pids = [*submission.training.f(), submission.training.me()]
    assert all(psutil.pid_exists(pid) for pid in pids)
    submission.close()
    end = time.monotonic() + 3
    while any(alive(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.01)
    assert not [pid for pid in pids if alive(pid)]


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("jailed", [True, False])
def test_zygote_is_kept_after_crashes(request: pytest.FixtureRequest, started: Started, jailed: bool) -> None:
    """A worker's end, however it comes, does not cost the zygote: TensorFlow is not imported again."""
    shared: ZygoteLauncher = request.getfixturevalue("shared" if jailed else "bare")
    assert shared._process is not None
    before = shared._process.pid
    for body in ("os._exit(1)", "os.abort()", "os.close(3)", "os._exit(2)" if jailed else "os.kill(0, 9)"):
        submission = started(shared, f"import os\ndef f():\n    {body}\n    return 1\n")
        with pytest.raises(CheckEnded):
            submission.training.f()
        with pytest.raises(CheckEnded):  # the submission object itself starts a new worker
            submission.training.f()
    assert started(shared, "def f(): return 1\n").training.f() == 1
    assert shared._process.pid == before


def test_state_does_not_pass_from_worker_to_worker(shared: Launcher, started: Started) -> None:
    """Module state and environment of one check are not seen by the next; within one check they are kept."""
    source = """
import os
seen = []
def f():
    seen.append(1)
    os.environ["LAB_SEEN"] = os.environ.get("LAB_SEEN", "") + "x"
    return len(seen), os.environ["LAB_SEEN"]
"""
    submission = started(shared, source)
    assert [submission.training.f() for _ in range(2)] == [(1, "x"), (2, "xx")]
    submission.restart()
    assert submission.training.f() == (1, "x")


def test_worker_sees_no_secrets(shared: Launcher, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the environment nor open descriptors of the grader reach a worker."""
    monkeypatch.setenv("LAB_SECRET", "s3cret")
    source = "import os\ndef f():\n    return dict(os.environ), sorted(int(n) for n in os.listdir('/proc/self/fd'))\n"
    environment, descriptors = started(shared, source).training.f()
    assert "s3cret" not in str(environment)
    assert descriptors[:4] == [0, 1, 2, 3]
    assert len(descriptors) <= 5  # and the one that lists them


# --- without a zygote


def test_subprocess_workers_name_the_same_causes(started: Started) -> None:
    """Where workers are plain processes, ends are told as with a zygote, and the next call has a new process."""
    using = SubprocessLauncher()
    for body, cause, words in (
        ("os._exit(3)", Cause.CRASH, "status 3"),
        ("ctypes.string_at(0)", Cause.CRASH, "SIGSEGV"),
        ("os.write(channel(), b'\\0\\0\\0\\1x')", Cause.CRASH, "broke the connection"),
        ("time.sleep(60)", Cause.TIME_OUT, "did not finish"),
        ("detached()", Cause.TIME_OUT, "did not finish"),
    ):
        source = f"""
import ctypes, os, time
def channel():
    return next(n for n in range(3, 20) if os.path.exists(f"/proc/self/fd/{{n}}") and "socket" in os.readlink(f"/proc/self/fd/{{n}}"))
def detached():
    if not os.fork():
        os.setsid()
        time.sleep(8)
        os._exit(0)
    time.sleep(60)
def f():
    {body}
def g():
    return 5
"""
        submission = started(using, source, wall_s=3.0)
        with pytest.raises(CheckEnded) as ended:
            submission.training.f()
        assert ended.value.cause is cause
        assert words in ended.value.feedback.summary
        submission.renew(submission.limits)
        assert submission.training.g() == 5


def test_subprocess_noise_and_exceptions(started: Started) -> None:
    """Printing does not get into the channel; exceptions are told with their line."""
    source = """
import os, sys
def f():
    print("x" * 99999)
    os.write(1, b"\\xff" * 999)
    return sys.stdin.read()
def g():
    raise ValueError("seven")
"""
    submission = started(SubprocessLauncher(), source)
    assert submission.training.f() == ""
    with pytest.raises(CheckFailed) as failed:
        submission.training.g()
    assert "raised ValueError: seven" in failed.value.feedback.summary
    assert failed.value.feedback.where == "assignment/training.py:8 g"


def test_own_settings_of_keras_are_not_read(started: Started, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A person's keras.json with another order of axes does not change what the lab's network is."""
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text('{"image_data_format": "channels_first", "floatx": "float16"}')
    monkeypatch.setenv("HOME", str(tmp_path))
    submission = started(
        SubprocessLauncher(), "def f():\n    import keras\n    return [keras.config.image_data_format(), keras.config.floatx()]\n", 60.0
    )
    assert submission.training.f() == ["channels_last", "float32"]


# --- workers that cannot start


def test_worker_that_cannot_be_limited_is_no_fault_of_the_submission(
    shared: Launcher, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first worker has answered, nothing can be graded here; after that the check is undecided. Both say why."""
    submission = started(shared, "def f(): return 1\n")
    submission.limits = replace(submission.limits, memory_bytes=2**63)
    monkeypatch.setattr(shared, "usable", False)
    with pytest.raises(SetupError, match=r"could not be started \(OverflowError: .*lab doctor"):
        submission.training.f()
    monkeypatch.setattr(shared, "usable", True)
    with pytest.raises(CheckEnded) as ended:
        submission.training.f()
    assert (ended.value.state, ended.value.cause) == (State.UNDECIDED, Cause.GRADER_FAULT)
    submission.limits = replace(submission.limits, memory_bytes=3 * 2**30)
    assert submission.training.f() == 1


def test_lower_limits_of_the_system_are_enough(tmp_path: Path) -> None:
    """Where the system allows less than a check would, a worker has that, and the reference is graded as everywhere."""
    command = [sys.executable, "-m", "grader", "grade", str(SOLUTIONS), "-k", "wilson or image_facts"]
    narrow = ["sh", "-c", 'ulimit -n 200; ulimit -s 1000000; ulimit -f 100000; exec "$@"', "sh", *command]
    done = subprocess.run(narrow, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "2/2" in done.stdout, done.stdout + done.stderr


# --- the zygote itself


def test_killed_zygote_is_started_again(started: Started) -> None:
    """When the zygote is killed in between, the check that ran is told so, and the next worker comes from a new zygote."""
    using = ZygoteLauncher(tier="C")
    try:
        submission = started(using, "import os\ndef f():\n    return os.getppid(), os.getpid()\n", wall_s=30.0)
        zygote, worker = submission.training.f()
        os.kill(zygote, signal.SIGKILL)
        end = time.monotonic() + 5
        while alive(worker) and time.monotonic() < end:
            time.sleep(0.01)
        assert not alive(worker)  # a worker does not outlive its zygote
        with pytest.raises(CheckEnded) as ended:
            submission.training.f()
        assert ended.value.state is State.UNDECIDED  # whoever killed it, this submission need not have done it
        assert "something else ended the grader's own process while training.f ran" in ended.value.feedback.summary
        second, _ = submission.training.f()
        assert second != zygote
    finally:
        using.close()
    assert not alive(second)


def test_killed_jail_is_made_again(started: Started) -> None:
    """When bubblewrap is killed, all that ran in it ends, and the next worker comes from a new one."""
    using = ZygoteLauncher()
    try:
        submission = started(using, "def f():\n    return 1\n", wall_s=30.0)
        assert submission.training.f() == 1
        assert using._process is not None
        family = [using._process.pid, *(child.pid for child in psutil.Process(using._process.pid).children(recursive=True))]
        os.kill(using._process.pid, signal.SIGKILL)
        end = time.monotonic() + 5
        while any(alive(pid) for pid in family[1:]) and time.monotonic() < end:
            time.sleep(0.01)
        assert not [pid for pid in family[1:] if alive(pid)]
        with pytest.raises(CheckEnded):
            submission.training.f()
        assert submission.training.f() == 1
    finally:
        using.close()


@pytest.mark.parametrize(("others_ended", "its_own", "state"), [(1, 0, State.UNDECIDED), (0, 0, State.FAILED), (1, 1700, State.FAILED)])
def test_memory_that_runs_out_is_blamed_on_who_took_it(
    bare: Launcher, started: Started, monkeypatch: pytest.MonkeyPatch, others_ended: int, its_own: int, state: State
) -> None:
    """A worker that the kernel ended: a submission is blamed where it had taken much, or where memory was not why."""
    told = iter((5, 5 + others_ended))
    monkeypatch.setattr(capacity, "ended_for_memory", lambda: next(told))
    take = f"    kept = np.ones({its_own} * 2**17)\n"
    source = f"import os, signal\nimport numpy as np\ndef f():\n{take}    os.kill(os.getpid(), signal.SIGKILL)\n"
    with pytest.raises(CheckEnded) as ended:
        started(bare, source, wall_s=30.0).training.f()
    assert ended.value.state is state
    assert ("this machine ran out of memory while training.f ran" in ended.value.feedback.summary) == (state is State.UNDECIDED)


@pytest.mark.parametrize(("killed", "state"), [(1, State.PASSED), (2, State.FAILED)])
def test_a_crash_is_believed_when_it_comes_twice(
    shared: Launcher, make: Make, monkeypatch: pytest.MonkeyPatch, killed: int, state: State
) -> None:
    """A worker that ends by a signal may have done so by chance: the check runs once more, in a new worker."""
    start, started_ = shared.start, []

    def start_and_kill(limits: Limits, room: Room) -> WorkerProcess:
        worker = start(limits, room)
        started_.append(worker)
        if len(started_) <= killed:
            threading.Timer(1.5, worker.kill).start()
        return worker

    monkeypatch.setattr(shared, "start", start_and_kill)
    slow = "def conv_output_size(size, kernel, stride=1):\n    import time\n    time.sleep(0.1)\n    return (size - kernel) // stride + 1\n"
    (check,) = grade(make(model=slow), keyword="conv_output", launcher=shared).checks
    assert check.state is state
    assert len(started_) == 2


def test_callbacks_of_a_check_may_end_it(shared: Launcher, started: Started) -> None:
    """A check that fails inside a callback leaves the student's code half-way: the worker is replaced, and the failure is kept."""
    submission = started(
        shared,
        "def f(g):\n    try:\n        g()\n    except BaseException:\n        pass\n    return 'swallowed'\ndef h():\n    return 1\n",
    )

    def stop() -> None:
        raise CheckFailed(Feedback("enough"))

    with pytest.raises(CheckFailed, match="enough"):
        submission.training.f(stop)
    assert submission.training.h() == 1
