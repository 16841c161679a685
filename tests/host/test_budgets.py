"""What a worker can cost the trusted side: time, memory and room on the disk, by what it writes and by what it answers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grader.channel.values import MAX_VALUES
from grader.checks.compare import fail
from grader.host import space
from grader.host.alone import no_other
from grader.host.heard import KEPT_CHARACTERS, TELLTALE, Heard
from grader.host.launch import Launcher
from grader.host.submission import Submission
from grader.outcomes import CheckEnded, CheckFailed
from grader.results import LONGEST_LINE, LONGEST_TEXT, MOST_LINES, Cause, Feedback, State
from grader.rubric.fair_sweep import watched_sweep

Started = Callable[..., Submission]

NEST = """
import os, time
def nest(levels, name, megabytes):
    here = os.getcwd()
    for _ in range(levels):
        os.mkdir(name)
        os.chdir(name)
    with open("bottom", "wb") as file:
        file.write(os.urandom(megabytes * 2**20))
    os.chdir(here)
"""

FORGE = """
import os, sys, time, msgpack
def reply(value):
    frame = sys._getframe()
    while "number" not in frame.f_locals:
        frame = frame.f_back
    sent = b"\\x82" + msgpack.packb("reply") + msgpack.packb(frame.f_locals["number"]) + msgpack.packb("value") + value
    sent = len(sent).to_bytes(4, "big") + sent
    while sent:
        sent = sent[os.write(3, sent):]
    time.sleep(60)
"""


def test_what_a_worker_left_ends_no_grading(shared: Launcher, started: Started) -> None:
    """Folders in which a recursion would end are removed with the room, and when a check begins again."""
    submission = started(shared, NEST + "def f(): nest(1500, 'd', 1)\ndef g(): return os.listdir('.')\n", wall_s=30.0)
    with suppress(CheckEnded):  # the guard may look in time
        submission.training.f()
    assert os.listdir(submission.scratch) == ["d"]
    submission.begin_again()
    assert submission.training.g() == []
    with suppress(CheckEnded):
        submission.training.f()
    submission.close()
    assert not submission.scratch.parent.exists()


@pytest.mark.parametrize("how", ["150, 'd', 0", "22, 'd' * 200, 64"], ids=["deep", "long"])
def test_no_folder_hides_what_is_written(shared: Launcher, started: Started, how: str) -> None:
    """A worker that writes where a path does not reach is ended, as one that writes anywhere else."""
    submission = started(shared, NEST + f"def f():\n    nest({how})\n    time.sleep(60)\n", wall_s=30.0)
    submission.limits = replace(submission.limits, scratch_bytes=2**25)
    with pytest.raises(CheckEnded) as ended:
        submission.training.f()
    assert ended.value.cause is Cause.DISK_LIMIT


HOLD = """
import os, time
def f():
    file = os.open("big", os.O_RDWR | os.O_CREAT)
    os.unlink("big")
    os.write(file, bytes(2**20))
    with open("pid", "w") as told:
        told.write(str(os.getpid()))
    os.rename("pid", "holds")
    time.sleep(60)
"""


class _Disk:
    """A disk of which a worker takes all but little, as long as it lives."""

    def __init__(self, told: Path, taken: int) -> None:
        self._told = told
        self._taken = taken

    def free(self, folder: Path) -> int:
        """What is free: 8 GiB at first, and at last what the worker gave back."""
        if not self._told.exists():
            return 2**33
        alive = Path(f"/proc/{self._told.read_text()}/fd").exists() and bool(os.listdir(f"/proc/{self._told.read_text()}/fd"))
        return 2**28 + (0 if alive else self._taken)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks whether the worker is there in /proc")
@pytest.mark.parametrize(("taken", "cause"), [(2**32, Cause.DISK_LIMIT), (2**20, Cause.GRADER_FAULT)], ids=["its own", "another's"])
def test_deleted_files_do_not_fill_the_disk(
    bare: Launcher, started: Started, monkeypatch: pytest.MonkeyPatch, taken: int, cause: Cause
) -> None:
    """When the disk is nearly full the worker is ended; it is its own doing if that gives back more than it may take."""
    submission = started(bare, HOLD, wall_s=60.0)
    monkeypatch.setattr(space, "free_bytes", _Disk(submission.scratch / "holds", taken).free)
    monkeypatch.setattr(space, "COME_BACK_S", 1.0)
    begun = time.monotonic()
    with pytest.raises(CheckEnded) as ended:
        submission.training.f()
    assert time.monotonic() - begun < 30
    assert ended.value.cause is cause
    assert ended.value.state is (State.FAILED if cause is Cause.DISK_LIMIT else State.UNDECIDED)
    assert "disk" in ended.value.feedback.summary


def test_a_neighbour_that_filled_the_disk_is_ended_first(shared: Launcher, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """Graders of a machine end their workers one after the other: whose turn comes when there is space again keeps its worker."""
    free = [2**33]
    monkeypatch.setattr(space, "free_bytes", lambda _: free[0])
    submission = started(shared, "import time\ndef f(wait_s):\n    time.sleep(wait_s)\n    return 1\n", wall_s=30.0)
    assert submission.training.f(0) == 1
    with no_other("space"):
        free[0] = 0
        assert submission.training.f(0.5) == 1
        free[0] = 2**33
    assert submission.training.f(0.5) == 1


def test_the_floor_is_no_higher_than_half_of_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has little room from the start can grade all the same."""
    for free, short in ((2**40, 2**30), (2**29, 2**28), (0, 0)):
        monkeypatch.setattr(space, "free_bytes", lambda _, free=free: free)
        made = space.Space(tmp_path)
        for now, is_short in ((short, False), (max(0, short - 1), short > 0)):
            monkeypatch.setattr(space, "free_bytes", lambda _, now=now: now)
            assert made.is_short() is is_short
    assert (space.free_bytes(tmp_path / "nothing") or 0) == 0


COLLIDING = """
def pairs(need):
    P1, P2, P5, M = 11400714785074694791, 14029467366897019727, 2870177450012600261, 2**64 - 1
    inv1, inv2, S = pow(P1, -1, 2**64), pow(P2, -1, 2**64), 2**61 - 1
    rot = lambda x, r: ((x << r) | (x >> (64 - r))) & M
    x, a = rot((12345678901234567 * inv1) & M, 33), 1
    while need:
        acc = (rot((P5 + a * P2) & M, 31) * P1) & M
        b = ((x - acc) * inv2) & M
        b = b if b < 2**63 else b - 2**64
        if -S < b < S and b != -1:
            need -= 1
            yield a, b
        a += 1
def f():
    keys = [msgpack.packb(msgpack.ExtType(1, msgpack.packb(list(pair)))) for pair in pairs(20_000)]
    reply(b"\\xdf" + len(keys).to_bytes(4, "big") + b"".join(key + b"\\x00" for key in keys))
"""
EMPTIES = "\ndef f(): reply(b'\\xdd' + (2**22).to_bytes(4, 'big') + b'\\x80' * 2**22)\n"


@pytest.mark.parametrize(("source", "words"), [(COLLIDING, "key must be"), (EMPTIES, "parts")], ids=["colliding keys", "empty mappings"])
def test_a_frame_costs_no_more_than_its_reading(shared: Launcher, started: Started, source: str, words: str) -> None:
    """Frames made to cost the host time or memory are refused before anything of them is built."""
    submission = started(shared, FORGE + source, wall_s=60.0)
    with pytest.raises(CheckEnded) as ended:
        submission.training.f()
    assert ended.value.cause is Cause.CRASH
    assert words in ended.value.feedback.summary


def test_an_honest_answer_that_is_too_large_is_told_so(shared: Launcher, started: Started) -> None:
    """A list with too many numbers is a wrong answer, not a broken connection; the worker goes on."""
    submission = started(shared, f"def f(): return [0] * {MAX_VALUES + 1}\ndef g(): return 1\n", wall_s=30.0)
    with pytest.raises(CheckFailed, match="as one array"):
        submission.training.f()
    assert submission.training.g() == 1


def test_words_are_heard_in_one_pass() -> None:
    """Of answers only texts are kept, up to a number of characters; a short text is compared with all of them quickly."""
    heard = Heard()
    heard.note({"layer": np.zeros(10), "a name that is long enough": ["x" * (TELLTALE - 1), "words of the worker's own"]})
    assert heard.place_in("the layer words of the worker's own is wrong") == len("the layer ")
    assert heard.place_in("this has nothing in common with it") is None
    assert heard.place_in("short") is None
    for _ in range(20):
        heard.note(["ab" * (KEPT_CHARACTERS // 2)])
    begun = time.monotonic()
    assert heard.place_in("ba" * 7 + "abc" * 100) is None
    assert time.monotonic() - begun < 10
    heard.note([0] * 6000 + ["a text behind many numbers"])
    assert heard.place_in("it is a text behind many numbers") == len("it is ")
    heard.note(["y" * (KEPT_CHARACTERS + 1)])
    assert heard.place_in("nothing can be told") == 0


def test_answers_are_not_kept(shared: Launcher, started: Started) -> None:
    """What a worker has answered is gone when the check lets go of it."""
    submission = started(shared, "import numpy as np\ndef f(): return {'junk': np.zeros(2**20), 'text': 'z' * 100}\n", wall_s=30.0)
    for _ in range(3):
        submission.training.f()
    assert submission.without_its_words(f"the answer {'z' * 100}") == "the answer …"
    kept: list[Any] = list(vars(submission).values())
    for value in kept:
        kept += vars(value).values() if isinstance(value, Heard) else list(value) if isinstance(value, list | tuple) else []
    assert not any(isinstance(value, np.ndarray) for value in kept)


SWEEP = """
def sweep(make_model, make_data, train, evaluate, *, epoch_limits, batch_sizes):
    cells = [cell.cell_contents for cell in make_model.__closure__]
    tell = next(value for value in cells if type(value).__name__ == "HostFunction")
    tell({"event": "data", "batch_size": 4, "junk": bytes(2**20)})
    tell({"event": "evaluate", "number": 1, "trainings": 1, "data": "v" * 2**20})
    tell({"event": "train", "epochs": 1, "number": 1, "batch_size": 3, "fresh_weights": True, "fresh_optimizer": True, "data": "train,val",
          "rule": {"min_delta": "m" * 2**20, "patience": None, "more": bytes(2**20)}})
    return []
"""


def test_a_call_is_kept_with_what_is_known_of_it(shared: Launcher, started: Started) -> None:
    """A submission that tells a watched sweep made-up calls cannot fill the memory with them."""
    events, _ = watched_sweep(started(shared, SWEEP, wall_s=60.0), [2], [3], np.random.default_rng(1))
    assert [sorted(event) for event in events[:2]] == [["batch_size", "event"], ["accuracy", "data", "event", "number", "trainings"]]
    assert max(len(repr(event)) for event in events) < 500
    assert set(events[2]["rule"]) == {"min_delta", "patience"}
    assert events[2]["rule"]["patience"] is None


def test_no_feedback_is_large() -> None:
    """Whatever a submission puts into its answers and errors, a result stays small."""
    much = "words " * 2**20
    feedback = Feedback(much, (much,) * 1000, much, much, much, f"{much}the end", much)
    assert max(map(len, (feedback.summary, feedback.where, feedback.safe, *feedback.comparison))) == LONGEST_LINE
    assert len(feedback.help) == len(feedback.example) == LONGEST_TEXT
    assert len(feedback.printed) == 2 * LONGEST_TEXT
    assert feedback.printed.endswith("the end")
    assert len(feedback.comparison) == MOST_LINES
    assert feedback.comparison[-1].startswith(f"… and {1000 - MOST_LINES + 1} more")
    small = Feedback("s", ("c",) * MOST_LINES, "h", "e", "w", "p", "f")
    assert small.comparison == ("c",) * MOST_LINES
    with pytest.raises(CheckFailed) as failed:
        fail(much)
    assert len(str(failed.value)) <= LONGEST_LINE
