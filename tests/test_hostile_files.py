"""Files that a stranger hands in to make the grader slow, large or wrong: each is refused with a sentence, or costs what its size costs."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from grader import artifacts
from grader.artifacts import FILES, MAX_JSON_BYTES, MAX_TRACES, Machine, Results, read_findings, read_weights
from grader.batch import clones
from grader.batch.intake import read_class
from grader.batch.roster import Roster
from grader.checks import xplane
from grader.checks.xplane import TraceEvent, kernel_times, read_trace, span_us
from grader.errors import ResultsError, SubmissionError
from grader.host import intake
from grader.host.intake import harmless, take
from grader.results import GradeResult
from grader.worker import landlock

SOLUTIONS = Path(__file__).parents[1] / "solutions"
MODULE = b"x = 1\n"
QUICK_S = 2.0
"""What took minutes may take this long on a busy machine."""


class Took:
    """How long a block took, on this process's own clock."""

    def __enter__(self) -> Took:
        """Starts."""
        self.start = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        """Holds that it was quick."""
        assert time.process_time() - self.start < QUICK_S


# Traces


def _trace(path: Path, names: list[str], events: int) -> Path:
    space = xplane.space_class()()
    plane = space.planes.add(name=xplane.CPU_PLANE)
    for key, name in enumerate(names):
        entry = plane.event_metadata.add(key=key)
        entry.value.name = name
    line = plane.lines.add()
    for number in range(events):
        line.events.add(metadata_id=number % len(names), offset_ps=number, duration_ps=1)
    path.write_bytes(space.SerializeToString())
    return path


def test_long_name_of_an_event_is_refused(tmp_path: Path) -> None:
    """A name of a megabyte, which many events have, makes the trace none of TensorFlow's; one of 1000 characters is read."""
    with pytest.raises(ResultsError, match="not as TensorFlow writes it"), Took():
        read_trace(_trace(tmp_path / "0.xplane.pb", ["a/" * 500_000 + ":K"], 40))
    assert len(read_trace(_trace(tmp_path / "1.xplane.pb", ["a" * xplane.MAX_NAME], 40))) == 40


def test_each_name_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many events have a name, what it means is worked out once."""
    asked: list[str] = []
    real = xplane.owner
    monkeypatch.setattr(xplane, "owner", lambda name, known: asked.append(name) or real(name, known))
    events = read_trace(_trace(tmp_path / "0.xplane.pb", ["a/" * 400 + "conv1:K", "x"], 2000))
    with Took():
        assert kernel_times(events, ["conv1"]) == {("conv1", "K"): pytest.approx(1000 * 1e-6)}
        span_us(events, ["conv1"])
    assert len(asked) == 4


def test_names_of_the_reference_are_far_below_the_limit() -> None:
    """No honest trace meets it."""
    events = [event for trace in Results(SOLUTIONS).traces() for event in read_trace(trace)]
    assert 0 < max(len(event.name) for event in events) * 10 < xplane.MAX_NAME
    assert isinstance(events[0], TraceEvent)


# findings.toml


def _findings(folder: Path, text: str) -> Path:
    (folder / "findings.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (".".join("a" * 6000) + " = 1\n", "more than 8 dots"),
        ("[" + " . ".join("a" * 3000) + "]\n", "more than 8 dots"),
        (".".join(['"a b"', "'c'"] * 1000) + " = 1\n", "more than 8 dots"),
        ("x = {" + ".".join("a" * 3000) + " = 1}\n", "more than 8 dots"),
        ('k = [{a = """\n\'""", ' + ".".join("b" * 3000) + " = 1, c = 'x'}]\n", "text over several lines"),
        ("k = '''a'''\n", "text over several lines"),
        ("# " + "x" * 20_000, "more than 16384 bytes; keep the handout's lines"),
    ],
    ids=["key", "table", "quoted", "inline", "hidden in text", "long text", "size"],
)
def test_findings_that_would_take_long(tmp_path: Path, text: str, told: str) -> None:
    """Keys of thousands of parts are refused before `tomllib` reads them, wherever they stand."""
    with pytest.raises(ResultsError, match=told), Took():
        read_findings(_findings(tmp_path, text))


def test_findings_with_usual_dots_are_read(tmp_path: Path) -> None:
    """Lists of numbers, remarks and text may have dots."""
    numbers = [0.5 + number for number in range(40)]
    text = f"[data] # {'.' * 60} '''\nlist = {numbers}\nword = 'a{'.' * 60}'\n[other.part]\nx = \"#{'.' * 60}\\\"\"  # \"{'.' * 60}\n"
    found = read_findings(_findings(tmp_path, text))
    assert found["data"]["list"] == numbers
    assert found["other"]["part"]["x"].endswith('."')
    assert len(read_findings(SOLUTIONS)) == 5


# results/


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A submission's results, to be spoilt."""
    shutil.copytree(SOLUTIONS / "results", tmp_path / "results", ignore=shutil.ignore_patterns(".*", "trace", "*.safetensors"))
    return tmp_path


def _spoil(results: Path, **changes: Any) -> None:
    file = results / "results" / "machine.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | changes), encoding="utf-8")


@pytest.mark.parametrize(
    "changes",
    [
        {"load_average": [[]] * 25_000},
        {"load_average": [1.0] * 11},
        {"sources": {str(number): [] for number in range(5000)}},
        {"k" * 100_000: 1},
        {"cpu": "x" * 301},
        {"cores": 10**4000},
        {str(number): 1 for number in range(8000)},
    ],
    ids=["wrong types", "long list", "mapping", "long key", "long text", "long number", "many keys"],
)
def test_results_of_wrong_types_are_told_in_short(results: Path, changes: dict[str, Any]) -> None:
    """Thousands of errors, long names and numbers come to one short sentence, soon."""
    _spoil(results, **changes)
    with pytest.raises(ResultsError, match=r"damaged|JSON") as error, Took():
        Results(results).read(Machine)
    assert len(str(error.value)) < 500


def test_large_results_are_not_read(results: Path) -> None:
    """Beyond ten times and more of a real file's size nothing is looked at; real files are far below."""
    _spoil(results, cpu="x" * MAX_JSON_BYTES)
    with pytest.raises(ResultsError, match="more than 131072 bytes"):
        Results(results).read(Machine)
    assert max((SOLUTIONS / "results" / name).stat().st_size for name in FILES.values()) * 10 < MAX_JSON_BYTES


def _models(kind: type[BaseModel]) -> set[type[BaseModel]]:
    found = {kind}
    for field in kind.model_fields.values():
        for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                found |= _models(inner)
    return found


def _is_short(field: FieldInfo) -> bool:
    if getattr(field.annotation, "__origin__", field.annotation) not in (list, dict, str):
        return True
    return any(getattr(part, "max_length", None) is not None for part in field.metadata)


def test_everything_of_a_schema_has_a_limit() -> None:
    """Every list, mapping and text of the files in results/ has a largest length."""
    models = {model for kind in FILES for model in _models(kind)}
    assert len(models) == 12
    assert not [f"{model.__name__}.{name}" for model in models for name, field in model.model_fields.items() if not _is_short(field)]


def test_weights_with_a_long_list_of_arrays(tmp_path: Path) -> None:
    """A list of a million arrays without numbers is refused before it is read."""
    listed = b"{" + b",".join(b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % number for number in range(20_000)) + b"}"
    (tmp_path / "weights.safetensors").write_bytes(struct.pack("<Q", len(listed)) + listed)
    with pytest.raises(ResultsError, match="list of arrays is too long"), Took():
        read_weights(tmp_path / "weights.safetensors")
    assert int.from_bytes((SOLUTIONS / "results" / "weights.safetensors").read_bytes()[:8], "little") * 10 < artifacts.MAX_WEIGHTS_HEADER


# What is taken of a folder or zip


def _zip(path: Path, members: dict[str, bytes], mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("data.py", MODULE)
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            made.writestr(info, content)
    return path


def test_a_few_traces_are_taken(tmp_path: Path) -> None:
    """Of many traces the first few are taken, none that is far larger than its reader allows; one sentence says so."""
    many = {f"results/trace/{number:03d}.xplane.pb": b"1" for number in range(300)}
    many["results/trace/000.xplane.pb"] = bytes(intake.MAX_TAKEN_TRACE + 1)
    with take(_zip(tmp_path / "many.zip", many)) as taken:
        traces = sorted(file.name for file in (taken.folder / "results" / "trace").iterdir())
        assert traces == [f"{number:03d}.xplane.pb" for number in range(1, MAX_TRACES)]
    assert taken.notes == (
        f"{300 - MAX_TRACES} traces were left out: results/trace holds 300, three are asked for.",
        f"results/trace/000.xplane.pb was left out: it has more than {intake.MAX_TAKEN_TRACE} bytes.",
    )
    limits = [*intake.EXPECTED.values(), *[intake.MAX_TAKEN_TRACE] * MAX_TRACES]
    assert sum(limits) == intake.MAX_TAKEN_BYTES < 2**27


def test_notes_are_few_and_short(tmp_path: Path) -> None:
    """Thousands of links are not thousands of notes, and no note is long."""
    links = {f"results/trace/{number}.xplane.pb": b"x" for number in range(2000)}
    with take(_zip(tmp_path / "links.zip", links, 0o120777)) as taken:
        assert len(taken.notes) <= intake.MAX_NOTES
    made = intake.Taken(tmp_path, "a", "b", tuple(f"{number}{'x' * 10_000}" for number in range(100)))
    assert len(made.notes) == intake.MAX_NOTES
    assert max(map(len, made.notes)) == intake.MAX_NOTE
    assert made.notes[-1] == f"And {101 - intake.MAX_NOTES} more remarks of this kind."


@pytest.mark.parametrize(("members", "told"), [(250_000, "too large a zip"), (30_000, "more than 20000 files")])
def test_list_of_members_that_is_hidden_from_a_search(tmp_path: Path, members: int, told: str) -> None:
    """An end record that holds its own signature a second time cannot hide how long the list is."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as made:
        made.writestr("data.py", MODULE)
    raw = whole.getvalue()
    first, end = raw.find(b"PK\x01\x02"), raw.rfind(b"PK\x05\x06")
    line = bytearray(raw[first : first + 46])
    struct.pack_into("<H", line, 28, 3)
    listing = raw[first:end] + (bytes(line) + b"abc") * members
    counted = min(members + 1, 65535)
    record = b"PK\x05\x06PK\x05\x06" + struct.pack("<HHIIH", counted, counted, len(listing), 0, 0)
    (tmp_path / "hidden.zip").write_bytes(raw[:first] + listing + record)
    with pytest.raises(SubmissionError, match=told), Took(), take(tmp_path / "hidden.zip"):
        pass


def test_many_folders_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders count as files do."""
    monkeypatch.setattr(intake, "MAX_MEMBERS", 20)
    for number in range(30):
        (tmp_path / str(number)).mkdir()
    with pytest.raises(SubmissionError, match="more than 20 files"), take(tmp_path):
        pass


# Names


def test_names_that_are_no_text_stay_two() -> None:
    """Names of other bytes become text that can be stored, no two the same; usual names stay as they are."""
    names = [os.fsdecode(name) for name in (b"d\xffan", b"d\xfean", b"d\\xffan", b"d\nan", b"d\\x0aan", "dän".encode())]
    written = [harmless(name) for name in names]
    assert len({name.encode() for name in written}) == len(names)
    assert written[0] == r"d\xffan"
    assert written[-1] == "dän"
    assert all(name.isprintable() for name in written)


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """A class with two students whose folders have names that are no UTF-8 and look alike when they are made so carelessly."""
    source = tmp_path / "class"
    for name in (b"d\xffan", b"d\xfean", b"dan"):
        place = Path(os.fsdecode(os.fsencode(source) + b"/" + name))
        try:
            place.mkdir(parents=True)
        except OSError:
            pytest.skip("this system has no such names")
        (place / "data.py").write_bytes(MODULE)
    return source


def test_folder_whose_name_is_no_text(strange: Path) -> None:
    """It can be graded, and its result written as JSON; in a class it is a student of its own."""
    with take(strange / os.fsdecode(b"d\xffan")) as taken:
        assert taken.name == r"d\xffan"
    result = GradeResult(taken.name, taken.digest, (), False, "1", "", "", 0.0, taken.notes)
    assert GradeResult.from_json(result.to_json().encode().decode()) == result
    found = read_class(strange, Roster())
    assert [one.label for one in found.submissions] == [r"d\xfean", r"d\xffan", "dan"]
    assert len({one.students[0].key.encode() for one in found.submissions}) == 3
    assert all(one.files[0].is_dir() for one in found.submissions)
    "".join(found.remarks).encode()


# Clones

TREE = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"


def _clone(place: Path, body: bytes, *, kind: bytes = b"commit") -> Path:
    content = b"%s %d\0" % (kind, len(body)) + body
    name = hashlib.sha1(content).hexdigest()
    for folder in (f".git/objects/{name[:2]}", ".git/refs/heads"):
        (place / folder).mkdir(parents=True)
    (place / f".git/objects/{name[:2]}/{name[2:]}").write_bytes(zlib.compress(content, 1))
    (place / ".git/refs/heads/main").write_text(f"{name}\n", encoding="ascii")
    (place / ".git/HEAD").write_text("ref: refs/heads/main\n", encoding="ascii")
    (place / "data.py").write_bytes(MODULE)
    return place


def _commit(seconds: object, message: bytes = b"m") -> bytes:
    who = b"a <a> %s +0000\n" % str(seconds).encode()
    return TREE + b"author " + who + b"committer " + who + b"\n" + message


def test_hostile_clones_stop_nobody(tmp_path: Path) -> None:
    """Of a class with clones of all kinds, the honest ones' times are known, and of each other one the instructor is told."""
    now = int(time.time())
    source = tmp_path / "class"
    for name, seconds in (("far", 4102444800000), ("overflow", 2**63), ("huge", "9" * 5000), ("word", "abc"), ("none", "")):
        _clone(source / f"lab1-{name}", _commit(seconds))
    _clone(source / "lab1-future", _commit(now + 3 * 86400))
    _clone(source / "lab1-old", _commit(1))
    _clone(source / "lab1-kind", b"", kind=b"strange")
    _clone(source / "lab1-blob", _commit(now), kind=b"blob")
    _clone(source / "lab1-large", _commit(now - 60, b"m" * (2 * 2**20)))
    (_clone(source / "lab1-loop", _commit(now)) / ".git/HEAD").write_text("ref: HEAD\n", encoding="ascii")
    for file in (_clone(source / "lab1-damaged", _commit(now)) / ".git/objects").glob("*/*"):
        file.write_bytes(b"nothing")
    for name, days in (("honest", 3), ("anna", 1)):
        _clone(source / f"lab1-{name}", _commit(now - days * 86400))
    found = read_class(source, Roster(), due=datetime.now(UTC) - timedelta(days=2), layout="classroom")
    known = {one.label: one.late_days for one in found.submissions if one.submitted_at is not None}
    assert known == {"lab1-honest": 0, "lab1-anna": 1}
    told = [remark for remark in found.remarks if remark.startswith("time not known: ")]
    assert len(found.submissions) == 14
    assert len(told) == 12
    assert sum("cannot be;" in remark for remark in told) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_clone_that_takes_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clone whose reading never ends costs its own time, and those behind it are read."""
    places = [_clone(tmp_path / name, _commit(1700000000)) for name in ("a", "b", "c")]
    (places[1] / ".git/HEAD").unlink()
    os.mkfifo(places[1] / ".git/HEAD")
    code = "from grader.batch import clones; clones.SECONDS = 1; clones._main()"
    asked = b"\0".join(map(os.fsencode, places))
    done = subprocess.run([sys.executable, "-c", code], input=asked, stdout=subprocess.PIPE, check=False, timeout=60)
    assert done.stdout == b"1700000000\n"
    assert done.returncode != 0

    def ask(left: list[Path]) -> list[str]:
        return ["1700000000"] if left[0] == places[0] else [] if left[0] == places[1] else ["1700000000"]

    monkeypatch.setattr(clones, "_ask", ask)
    first, second, third = clones.last_commits(places)
    assert first == third == datetime.fromtimestamp(1700000000, UTC)
    assert second is None


@pytest.mark.parametrize("created", ["2999-01-01 00:00:00 Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "soon", "''"])
def test_time_of_an_export_that_cannot_be(tmp_path: Path, created: str) -> None:
    """A time that cannot be read, or cannot be, is told, and not taken for no delay in silence."""
    (tmp_path / "submission_1").mkdir()
    (tmp_path / "submission_1" / "data.py").write_bytes(MODULE)
    text = f"submission_1:\n  :submitters:\n  - :name: Ada\n  :created_at: {created}\n"
    (tmp_path / "submission_metadata.yml").write_text(text, encoding="utf-8")
    found = read_class(tmp_path, Roster(), due=datetime.now(UTC))
    assert found.submissions[0].submitted_at is None
    assert any(remark.startswith("time not known: submission_1") for remark in found.remarks)


# What a worker sees of its own process


@pytest.mark.skipif(landlock.abi() < landlock.LOWEST_ABI, reason="needs Landlock")
def test_worker_does_not_see_the_network() -> None:
    """Under Landlock a process reads its memory map and state, and no table of the machine's network, by whatever name."""
    code = """
import os, threading
from grader.worker import landlock
task = f"/proc/self/task/{threading.get_native_id()}"
landlock.apply(landlock.readable(), ())
def opens(path):
    try:
        os.close(os.open(path, os.O_RDONLY))
    except PermissionError:
        return False
    return True
for name in ("maps", "status", "stat", "statm", "cgroup", "mounts"):
    assert opens(f"/proc/self/{name}"), name
for path in ("/proc/self", "/proc/self/net", "/proc/self/net/tcp", "/proc/net/dev", task + "/net/dev", "/proc/self/environ"):
    assert not opens(path), path
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
