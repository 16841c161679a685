"""The `lab` command: help, exit statuses, and one line instead of a traceback."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import grader.grade
from grader import __version__, cli
from grader.errors import DataError, LabError, SubmissionError
from grader.lab import SECTIONS
from grader.report import text
from grader.results import CheckResult, Feedback, GradeResult, State

VERBS = ("doctor", "stubs", "grade", "measure", "watch", "submit", "dashboard", "report", "data make", "data fetch", "data info",
         "batch", "export", "sample-class", "runs list", "runs diff")  # fmt: skip
CHECKS = (
    CheckResult("data/one", "One", State.PASSED, 2, 2),
    CheckResult("data/two", "Two", State.FAILED, 3, 1, feedback=Feedback("wrong \x1b[31m[bold]"), command="pytest grader -k two"),
)


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No secret, no colours, and a wide terminal; notes about faults go to the test's folder."""
    for name in ("LAB_SECRET", "LAB_SECRET_FILE", "FORCE_COLOR", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("platformdirs.user_log_dir", lambda name: str(tmp_path / "log"))


def lab(*arguments: str) -> Result:
    """Runs the command in this process."""
    return CliRunner().invoke(cli.app, cli._with_json_default(list(arguments)), prog_name="lab")


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs the command in a process of its own."""
    command = [sys.executable, "-c", "from grader.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, stdin=subprocess.DEVNULL, **options)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replaces the grading by one that has its result at once, and notes how it was called."""
    noted: list[dict[str, Any]] = []

    def fake(path: Path, *, keyword: str, secret: bytes | None, listener: Callable[[CheckResult], None], worker: str) -> GradeResult:
        noted.append({"path": path, "keyword": keyword, "secret": secret, "worker": worker, "environment": dict(os.environ)})
        for check in CHECKS:
            listener(check)
        return GradeResult(path.name, "ab" * 32, CHECKS, secret is not None, __version__, "zygote", "2026-01-01T00:00:00Z", 1.0)

    monkeypatch.setattr(grader.grade, "grade", fake)
    return noted


def test_help_names_every_verb() -> None:
    """A verb that is not in the help cannot be found."""
    shown = run("--help").stdout
    for verb in VERBS:
        assert verb.partition(" ")[0] in shown


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_with_an_example(verb: str) -> None:
    """The help of each verb ends with a line that can be typed."""
    result = lab(*verb.split(), "--help")
    assert result.exit_code == 0
    assert f"Example: lab {verb}" in result.output


@pytest.mark.parametrize("verb", VERBS)
def test_examples_are_real_options(verb: str) -> None:
    """Each option in an example exists."""
    shown = lab(*verb.split(), "--help").output
    example = shown.partition("Example:")[2]
    for option in re.findall(r"--[a-z-]+", example):
        assert option in shown.partition("Example:")[0]


def test_version() -> None:
    """The version is that of the package."""
    assert lab("--version").output == f"lab {__version__}\n"


def test_help_imports_nothing_heavy() -> None:
    """`lab --help` comes at once because TensorFlow, numpy, pytest and the like are imported only in the verbs that need them."""
    heavy = ("tensorflow", "keras", "numpy", "pandas", "pytest", "hypothesis", "jinja2", "pydantic", "httpx", "grader.grade")
    code = f"""
import sys
sys.argv = ["lab", "--help"]
from grader.cli import main
try:
    main()
finally:
    print("HEAVY", [name for name in {heavy} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "HEAVY []" in done.stderr


def test_unknown_verb_is_a_usage_error() -> None:
    """A mistyped verb has status 2 and no traceback."""
    done = run("grate")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_grade_shows_the_report_and_ends_with_0(calls: list[dict[str, Any]]) -> None:
    """A grade was produced, so the status is 0 although a check failed; by default `assignment` is graded with the public seed."""
    result = lab("grade")
    assert result.exit_code == 0
    assert "data 3/5" in result.output.splitlines()
    assert text.PUBLIC_PASSED not in result.output
    assert (calls[0]["path"], calls[0]["secret"], calls[0]["worker"]) == (Path("assignment"), None, "auto")


@pytest.mark.parametrize(
    ("arguments", "keyword"),
    [
        ((), ""),
        (("--section", "data"), "test_data.py"),
        (("-k", "wilson"), "(wilson)"),
        (("-k", "a or b", "--section", "model"), "test_model.py and (a or b)"),
        (("-k", "data/label_map"), "test_data.py and label_map"),
        (("-k", "other/word"), "(other/word)"),
    ],
)
def test_selection_is_what_pytest_understands(calls: list[dict[str, Any]], arguments: tuple[str, ...], keyword: str) -> None:
    """A section is its file, so that a check of another section with the word in its name is not run too."""
    assert lab("grade", *arguments).exit_code == 0
    assert calls[0]["keyword"] == keyword


@pytest.mark.parametrize("verb", ["grade", "watch"])
def test_unknown_section_names_the_known_ones(verb: str) -> None:
    """A mistyped section is one line with the right ones, status 2."""
    result = lab(verb, "--section", "models")
    assert result.exit_code == 2
    assert all(section in result.stderr for section in SECTIONS)
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [("grade", "--json"), ("grade", "--json", "-k", "x"), ("grade", "assignment", "--json", "-")])
def test_json_alone_goes_to_standard_output(calls: list[dict[str, Any]], arguments: tuple[str, ...]) -> None:
    """Standard output is then the JSON and nothing else, so that it can be piped; the report goes to the other stream."""
    result = lab(*arguments)
    assert result.exit_code == 0
    assert GradeResult.from_json(result.stdout).score == 3
    assert "data 3/5" in result.stderr


def test_json_and_html_files(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    """Both files are written, also into folders that are not there yet."""
    page, grade = tmp_path / "new" / "grade.html", tmp_path / "new" / "grade.json"
    assert lab("grade", "--json", str(grade), "--html", str(page)).exit_code == 0
    assert json.loads(grade.read_text(encoding="utf-8"))["points"] == 5
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_unwritable_file_is_one_line(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    """A folder given as a file is something the user can mend."""
    result = lab("grade", "--json", str(tmp_path))
    assert result.exit_code == 2
    assert f"Cannot write {tmp_path}" in result.stderr


@pytest.mark.parametrize("way", ["option", "file in the environment", "environment"])
def test_secret_makes_the_grade_official(calls: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """The secret comes from three places, without its line end, and is gone from the environment that workers would inherit."""
    file = tmp_path / "key"
    file.write_bytes(b"course secret\n")
    arguments: tuple[str, ...] = ()
    if way == "option":
        monkeypatch.setenv("LAB_SECRET", "another")
        arguments = ("--secret-file", str(file))
    elif way == "environment":
        monkeypatch.setenv("LAB_SECRET", "course secret")
    else:
        monkeypatch.setenv("LAB_SECRET_FILE", str(file))
    result = lab("grade", *arguments)
    assert calls[0]["secret"] == b"course secret"
    assert not {"LAB_SECRET", "LAB_SECRET_FILE"} & set(calls[0]["environment"])
    assert "Official grade" in result.output
    assert "course secret" not in result.output


@pytest.mark.parametrize("content", [None, b"", b" \n"])
def test_missing_or_empty_secret_file_is_no_public_run(calls: list[dict[str, Any]], tmp_path: Path, content: bytes | None) -> None:
    """An instructor who gave a secret file wants an official grade: nothing is graded with the public seed instead."""
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    result = lab("grade", "--secret-file", str(file))
    assert result.exit_code == 2
    assert calls == []


def test_empty_variable_is_no_secret(calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """CI systems set a secret that a fork may not see to nothing; the run is then public, and says so."""
    monkeypatch.setenv("LAB_SECRET", "")
    result = lab("grade")
    assert calls[0]["secret"] is None
    assert "public checks" in result.output


@pytest.mark.parametrize("error", [LabError, SubmissionError, DataError])
def test_what_the_user_can_mend_is_one_line(monkeypatch: pytest.MonkeyPatch, error: type[LabError]) -> None:
    """The tree of errors ends as one line on standard error and status 2; a file name cannot forge a second line."""

    def fail(*_: object, **__: object) -> None:
        raise error("There is no folder x\ny\x1b[31m; give another.")

    monkeypatch.setattr(grader.grade, "grade", fail)
    result = lab("grade")
    assert result.exit_code == 2
    assert result.stderr == "lab: There is no folder x\\ny\\x1b[31m; give another.\n"


def test_a_fault_of_the_grader_is_one_line_and_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Anything unforeseen is called the grader's fault, with the traceback in a file that is named."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("deep inside")

    monkeypatch.setattr(grader.grade, "grade", fail)
    result = lab("grade")
    assert result.exit_code == cli.EXIT_FAULT
    assert len(result.stderr.splitlines()) == 1
    assert "fault of the grader" in result.stderr
    (note,) = (tmp_path / "log").iterdir()
    assert str(note) in result.stderr
    assert "deep inside" in note.read_text(encoding="utf-8")


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the packages of a student only, a verb for a class says what to install, and blames nobody."""
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    for name in [name for name in sys.modules if name.startswith("grader.store")]:
        monkeypatch.delitem(sys.modules, name)
    result = lab("runs", "list", "--db", "grades.db")
    assert result.exit_code == 2
    assert result.stderr.startswith("lab: this needs the Python module sqlalchemy")
    assert "scripts/setup.sh instructor" in result.stderr


def test_a_fault_without_a_place_for_its_note(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where no file can be written, the line still comes, and says what it was."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setattr("platformdirs.user_log_dir", lambda name: str(blocked / "log"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(blocked / "temporary"))

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("deep inside")

    monkeypatch.setattr(grader.grade, "grade", fail)
    result = lab("grade")
    assert result.exit_code == cli.EXIT_FAULT
    assert "deep inside" in result.stderr


def test_ctrl_c_is_one_line_and_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted grading has no traceback and no score."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(grader.grade, "grade", interrupt)
    result = lab("grade")
    assert result.exit_code == 130
    assert result.stderr == "lab: interrupted\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_real_ctrl_c(tmp_path: Path) -> None:
    """A real SIGINT in the middle of real work ends with one line and 130."""
    command = [
        sys.executable,
        "-u",
        "-c",
        "from grader.cli import main; main()",
        "data",
        "make",
        "full",
        "--folder",
        str(tmp_path / "full"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        # The first line comes before the work, which takes minutes.
        assert process.stdout.readline().startswith("Drawing the full data set")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) == 130
        assert process.stderr.read() == "lab: interrupted\n"


def test_missing_submission_really_is_one_line(tmp_path: Path) -> None:
    """The real grader on a path that is not there: status 2, one line, no traceback."""
    done = run("grade", str(tmp_path / "nobody"))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "nobody" in done.stderr


def test_data_make_and_info(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The small set is made where asked, described, and found broken once a file is gone."""
    monkeypatch.chdir(tmp_path)
    assert lab("data", "make", "--folder", "set").exit_code == 0
    whole = lab("data", "info", "set")
    assert whole.exit_code == 0
    assert "train 5000, val 1000, test 200" in whole.output
    (tmp_path / "set" / "wnids.txt").unlink()
    broken = lab("data", "info", "set")
    assert broken.exit_code == 1
    assert "broken: wnids.txt" in broken.output


@pytest.mark.parametrize("arguments", [("data", "make", "huge"), ("data", "info", "nowhere"), ("measure", "--plan", "slow")])
def test_wrong_words_are_one_line(arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown size, a missing folder, an unknown plan: status 2 and one line."""
    monkeypatch.chdir(tmp_path)
    result = lab(*arguments)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def test_submit_says_what_is_missing_before_it_grades(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    """A student does not wait for a grading to hear that a file is missing."""
    result = lab("submit", str(tmp_path))
    assert result.exit_code == 2
    assert "no data.py" in result.stderr
    assert calls == []


def test_submit_incomplete_prints_a_receipt(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    """With --incomplete it is packed all the same, and the receipt has name, checksum, score and what was missing."""
    (tmp_path / "me").mkdir()
    (tmp_path / "me" / "data.py").write_text("")
    result = lab("submit", str(tmp_path / "me"), "--incomplete", "--name", "Ada [bold]", "-o", str(tmp_path / "me.zip"))
    assert result.exit_code == 0
    assert (tmp_path / "me.zip").is_file()
    assert re.search(r"SHA-256 +[0-9a-f]{64}", result.output)
    assert "Ada [bold]" in result.output
    assert "3/5" in result.output
    assert "missing       no model.py" in result.output


def test_stubs_check(tmp_path: Path) -> None:
    """Stubs that were written are found right, and an edited one is found."""
    solutions = Path(cli.__file__).resolve().parent.parent / "solutions"
    options = ("--solutions", str(solutions), "--assignment", str(tmp_path / "a"))
    assert lab("stubs", *options).exit_code == 0
    assert lab("stubs", *options, "--check").exit_code == 0
    (tmp_path / "a" / "data.py").write_text("")
    result = lab("stubs", *options, "--check")
    assert result.exit_code == 2
    assert "data.py" in result.stderr


def test_doctor_ends_with_1_only_for_what_is_essential(monkeypatch: pytest.MonkeyPatch) -> None:
    """A note does not fail the doctor, a missing TensorFlow does, and both are shown."""
    from grader import doctor

    note, problem = doctor.Finding("data", False, "none", "make it"), doctor.Finding("TensorFlow", False, "none", "get it", essential=True)
    monkeypatch.setattr(doctor, "examine", lambda folder: iter([note]))
    assert lab("doctor").exit_code == 0
    monkeypatch.setattr(doctor, "examine", lambda folder: iter([note, problem]))
    result = lab("doctor")
    assert result.exit_code == 1
    assert result.output.splitlines() == [note.line(), problem.line()]
