"""The doctor: each line is true, says OK or a problem in words, and a problem says what to do."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from grader import doctor
from grader.host.jail import Isolation, Tier


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 1), (3, 13, 9)])
def test_supported_pythons(version: tuple[int, ...]) -> None:
    """These are the versions that TensorFlow has packages for."""
    assert doctor.check_python(version).ok


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 10, 13), (3, 14, 0), (4, 0, 0)])
def test_other_pythons_are_an_essential_problem(version: tuple[int, ...]) -> None:
    """Any other version stops the lab, and the line says which to install."""
    finding = doctor.check_python(version)
    assert not finding.ok
    assert finding.essential
    assert "3.11" in finding.advice


def test_limits_of_the_system_are_named() -> None:
    """A limit that is lower than the lab needs is told with the option of ulimit that sets it."""
    script = "import sys; from grader.doctor import check_limits; print(check_limits().line())"
    narrow = f"ulimit -v 4000000; ulimit -n 128; exec {shlex.quote(sys.executable)} -c {shlex.quote(script)}"
    for command, told in (
        ([sys.executable, "-c", script], ("OK",)),
        (
            ["sh", "-c", narrow],
            ("NOTE", "address space 4,000,000, expected 6,291,456 (ulimit -v)", "open files 128, expected 256 (ulimit -n)"),
        ),
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert all(words in done.stdout for words in told), done.stdout


def test_tensorflow_is_imported_elsewhere() -> None:
    """The real check finds TensorFlow, and this process still has not imported it."""
    before = "tensorflow" in sys.modules
    finding = doctor.check_tensorflow()
    assert finding.ok
    assert finding.text.startswith(doctor.TENSORFLOW_SERIES)
    assert ("tensorflow" in sys.modules) is before


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise ImportError('no such library')", "no such library"),
        ("import os; os.abort()", "exit status"),
        ("import sys; sys.exit(3)", "exit status 3"),
    ],
)
def test_broken_tensorflow_is_a_line(code: str, said: str) -> None:
    """An import that fails or crashes is a problem with advice, not an exception."""
    finding = doctor.check_tensorflow(code=code)
    assert not finding.ok
    assert finding.essential
    assert said in finding.text
    assert "pip install" in finding.advice


def test_missing_interpreter_is_a_line(tmp_path: Path) -> None:
    """An interpreter that cannot be started is a problem too."""
    assert not doctor.check_tensorflow(executable=str(tmp_path / "python")).ok


def test_other_tensorflow_is_noted() -> None:
    """A version that was never tested is noted, but does not stop the lab."""
    finding = doctor.check_tensorflow(code='print(\'{"version": "2.9.1", "seconds": 1}\')')
    assert not finding.ok
    assert not finding.essential


def test_uncompiled_packages_are_found(tmp_path: Path) -> None:
    """Sources without byte code are noted with the command that compiles them; once compiled, the line is OK."""
    package = tmp_path / "site" / "tensorflow"
    package.mkdir(parents=True)
    for number in range(10):
        (package / f"m{number}.py").write_text("x = 1\n")

    def find(name: str) -> Path | None:
        return package if name == "tensorflow" else None

    finding = doctor.check_compiled(find)
    assert not finding.ok
    assert "10 of 10" in finding.text
    assert "compileall" in finding.advice
    assert str(package.parent) in finding.advice
    for source in package.glob("*.py"):
        compiled = Path(importlib.util.cache_from_source(str(source)))
        compiled.parent.mkdir(parents=True, exist_ok=True)
        compiled.write_bytes(b"")
    assert doctor.check_compiled(find).ok


def test_absent_packages_are_not_called_compiled() -> None:
    """Without TensorFlow there is nothing to compile, and the line does not say OK."""
    assert not doctor.check_compiled(lambda name: None).ok


def test_data_sets_are_found_by_their_label_file(tmp_path: Path) -> None:
    """Only folders with a wnids.txt count; without any the line says how to make one."""
    assert "lab data make" in doctor.check_data(tmp_path).advice
    (tmp_path / "empty").mkdir()
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "wnids.txt").write_text("n1\n")
    finding = doctor.check_data(tmp_path)
    assert finding.ok
    assert finding.text.startswith("small in ")


def test_write_access(tmp_path: Path) -> None:
    """A folder that can be written to is left empty; one that is not there is an essential problem."""
    assert doctor.check_write_access(tmp_path).ok
    assert list(tmp_path.iterdir()) == []
    finding = doctor.check_write_access(tmp_path / "no")
    assert not finding.ok
    assert finding.essential


def test_isolation_depends_on_the_system() -> None:
    """Tier A is fine; a lower one, or another system, is a note that says why, not a stop."""
    for isolation in (Isolation(Tier.B, ("seccomp",), ("bubblewrap is not installed",)), Isolation(Tier.C, ("limits",), ("no Landlock",))):
        finding = doctor.check_isolation("linux", lambda isolation=isolation: isolation)
        assert not finding.ok
        assert f"tier {isolation.tier}" in finding.text
        assert isolation.missing[0] in finding.text
    assert doctor.check_isolation("linux", lambda: Isolation(Tier.A, ("bubblewrap",))).ok
    for platform in ("darwin", "win32"):
        assert not doctor.check_isolation(platform).ok
        assert not doctor.check_isolation(platform).essential


@pytest.mark.parametrize(("encoding", "ok"), [("utf-8", True), ("UTF8", True), ("cp1252", False), ("ascii", False)])
def test_encoding(encoding: str, ok: bool) -> None:
    """Anything but UTF-8 is noted."""
    assert doctor.check_encoding(encoding).ok is ok


def test_lines_say_it_in_words() -> None:
    """OK, NOTE or PROBLEM comes first; advice stands only beside a problem."""
    assert doctor.Finding("disk", True, "9 GiB", "make room").line() == "OK      disk: 9 GiB"
    assert doctor.Finding("disk", False, "1 GiB", "make room").line() == "NOTE    disk: 1 GiB -> make room"
    assert doctor.Finding("disk", False, "1 GiB", "make room", essential=True).line() == "PROBLEM disk: 1 GiB -> make room"


def test_every_problem_of_this_machine_has_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole examination runs, names each subject once, and leaves no problem without advice."""
    monkeypatch.setattr(doctor, "check_tensorflow", lambda: doctor.Finding("TensorFlow", True, "not asked here"))
    findings = list(doctor.examine(tmp_path))
    subjects = [finding.subject for finding in findings]
    assert len(subjects) == len(set(subjects)) == 11
    assert all(finding.ok or finding.advice for finding in findings)
