"""Exports, read back by the rules of the course systems themselves."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from grader.errors import LabError
from grader.export import cells, export_grades, write_feedback
from grader.export.grades import Grade, Policy
from grader.results import Cause, CheckResult, Feedback, GradeResult, State
from grader.store.schema import Student

NAMES = (
    "Doe, Jane",
    'Robert "Bob" Tables',
    "José Muñoz",
    "Kim Lee",
    "Kim Lee",
    "=HYPERLINK(1)",
    "@cmd",
    "-2+3",
    "Zoë O'Brien",
    "Łukasz Żółć",
)
CHECKS = (
    CheckResult("data/one", "One", State.PASSED, 2, 2),
    CheckResult("model/two", "Two", State.FAILED, 3, 0, cause=Cause.CRASH, feedback=Feedback("<script>alert(1)</script>", ("a\x1b[31m",))),
)
RESULT = GradeResult("lab.zip", "a" * 64, CHECKS, True, "0.1.0", "tier A", "2026-01-01T00:00:00+00:00", 12.4, ("a note",))


def grades() -> list[Grade]:
    """Students with difficult names; ids with leading zeros; one who handed in nothing."""
    made = []
    for number, name in enumerate(NAMES):
        student = Student(
            id=number + 1, key=f"sis:00{number}", name=name, login=f"u{number}", email=f"u{number}@x.edu", sis_id=f"00{number}",
            canvas_id=f"{900 + number}", moodle_id=f"{50 + number}", github="", section=f"CPRE487-{number % 2}", group_name="",
        )  # fmt: skip
        score = None if number == 9 else 1234.5 if number == 8 else 2.0 + number
        result = None if number == 9 else RESULT
        made.append(Grade(student, score, 5.0, {"data": 2.0, "model": 0.0}, f"-1 by ada: late, number {number}", result, f"{name[:3]}.zip"))
    return made


def rows_of(file: Path) -> list[list[str]]:
    """The file as any CSV reader sees it."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.reader(stream))


def canvas_import(rows: list[list[str]], people: list[dict[str, str]]) -> tuple[dict[str, float], list[str]]:
    """Canvas's own rules: which student each row is of, which columns are assignments, and how a cell is read.

    Returns:
        From the student's ID to the score in the last assignment column; rows that match nobody.
    """
    header = rows[0]
    last = max(place for place, title in enumerate(header) if "section" in title.casefold())
    own = re.compile(r"(current|final|override) (score|grade|points)", re.IGNORECASE)
    assignments = [place for place in range(last + 1, len(header)) if not own.search(header[place])]
    assert header[:2] == ["Student", "ID"]
    scores: dict[str, float] = {}
    unknown: list[str] = []
    for row in rows[1:]:
        if row[0].strip() == "Points Possible":
            assert float(row[assignments[-1]]) > 0
            continue
        found: list[dict[str, str]] = []
        for place, field in ((1, "ID"), (2, "SIS User ID"), (3, "SIS Login ID"), (0, "Student")):
            if not found and row[place]:
                found = [person for person in people if person[field] == row[place]]
        if len(found) != 1:
            unknown.append(row[0])
            continue
        cell = row[assignments[-1]]
        if cell:
            scores[found[0]["ID"]] = float(cell.replace(",", "."))  # a comma is a decimal point to Canvas
    return scores, unknown


def test_canvas_takes_the_file(tmp_path: Path) -> None:
    """By Canvas's matching rules each score reaches its own student: commas, quotes, accents, same names, leading zeros, formulas."""
    target = tmp_path / "grades.csv"
    assert export_grades("canvas", grades(), target, sheet=None, assignment="Lab 1 (12345)") == []
    rows = rows_of(target)
    assert rows[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Lab 1 (12345)"]
    assert rows[1] == ["    Points Possible", "", "", "", "", "5.00"]
    people = [
        {"Student": g.student.name, "ID": g.student.canvas_id, "SIS User ID": g.student.sis_id, "SIS Login ID": g.student.login}
        for g in grades()
    ]
    scores, unknown = canvas_import(rows, people)
    assert unknown == []
    assert scores == {g.student.canvas_id: g.score for g in grades() if g.score is not None}
    assert all(re.fullmatch(r"\d+\.\d\d|", row[5]) for row in rows[1:])
    assert '"Doe, Jane"' in target.read_text(encoding="utf-8")


@pytest.mark.parametrize("drop", [("canvas_id",), ("canvas_id", "sis_id"), ("canvas_id", "sis_id", "login")])
def test_canvas_finds_students_by_what_is_left(drop: tuple[str, ...], tmp_path: Path) -> None:
    """Without an ID the next rule finds them; by name alone all but the two who share one, and a remark tells of it."""
    given = grades()
    people = [
        {"Student": g.student.name, "ID": g.student.canvas_id, "SIS User ID": g.student.sis_id, "SIS Login ID": g.student.login}
        for g in grades()
    ]
    for grade in given:
        for field in drop:
            setattr(grade.student, field, "")
    remarks = export_grades("canvas", given, tmp_path / "g.csv", sheet=None, assignment="Lab 1")
    scores, unknown = canvas_import(rows_of(tmp_path / "g.csv"), people)
    if len(drop) < 3:
        assert (unknown, remarks, len(scores)) == ([], [], 9)
    else:
        assert unknown == ["Kim Lee", "Kim Lee"]
        assert len(scores) == 7
        assert sum("which others have too" in remark for remark in remarks) == 2


@pytest.mark.parametrize("title", ["Final Score", "Lab Current Grade", "final points (12)", " "])
def test_canvas_title_that_would_be_dropped(title: str, tmp_path: Path) -> None:
    """A title that Canvas drops without a word is refused with one."""
    with pytest.raises(LabError, match="drops a column"):
        export_grades("canvas", grades(), tmp_path / "g.csv", sheet=None, assignment=title)


def test_canvas_gradebook_is_followed(tmp_path: Path) -> None:
    """With Canvas's own export the names and ids are written as they stand there; who is not in it is named and left out."""
    book = tmp_path / "book.csv"
    first = grades()[0].student
    cells.write(
        book, [["Student", "ID", "SIS Login ID", "Section"], ["   Points Possible", "", "", ""], ["Doe, J.", "42", first.login, "S"]]
    )
    remarks = export_grades("canvas", grades(), tmp_path / "g.csv", sheet=book, assignment="Lab 1")
    assert rows_of(tmp_path / "g.csv")[2] == ["Doe, J.", "42", "", "u0", "S", "2.00"]
    assert len(remarks) == len(NAMES) - 1


@pytest.mark.parametrize("titles", [("Grade", "Feedback comments"), ("Bewertung", "Feedback als Kommentar")])
def test_moodle_sheet_comes_back(titles: tuple[str, str], tmp_path: Path) -> None:
    """The worksheet is the same but for grades and comments, in any language; who is only in one of the two is kept and named."""
    sheet = tmp_path / "sheet.csv"
    header = ["Identifier", "Full name", "Email address", titles[0], "Maximum", "Last modified (grade)", titles[1]]
    body = [[f"Participant {g.student.moodle_id}", g.student.name, g.student.email, "", "5.00", "-", ""] for g in grades()[1:]]
    body.append(["Participant 999", "Some One", "s@x.edu", "", "5.00", "-", ""])
    cells.write(sheet, [header, *body], mark=True)
    remarks = export_grades("moodle", grades(), tmp_path / "g.csv", sheet=sheet, assignment="")
    rows = rows_of(tmp_path / "g.csv")
    assert rows[0] == header
    assert [row[:3] + row[4:6] for row in rows[1:]] == [row[:3] + row[4:6] for row in body]
    assert [row[3] for row in rows[1:]] == [cells.points(g.score) for g in grades()[1:]] + [""]
    assert all(row[6].startswith("'-1 by ada") for row in rows[1:-1])
    assert remarks == ["not in Moodle's worksheet, left out: Doe, Jane"]


def test_moodle_needs_its_worksheet(tmp_path: Path) -> None:
    """Without a worksheet, or with something else, one sentence says what to download."""
    with pytest.raises(LabError, match="own worksheet"):
        export_grades("moodle", grades(), tmp_path / "g.csv", sheet=None, assignment="")
    cells.write(tmp_path / "other.csv", [["a", "b"], ["x", "1"]])
    with pytest.raises(LabError, match="no grading worksheet"):
        export_grades("moodle", grades(), tmp_path / "g.csv", sheet=tmp_path / "other.csv", assignment="")


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    """In the table no cell of text begins as a formula does, and all names are still to be read."""
    export_grades("csv", grades(), tmp_path / "g.csv", sheet=None, assignment="")
    rows = rows_of(tmp_path / "g.csv")
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert [row[0].removeprefix("'") for row in rows[1:]] == list(NAMES)
    assert rows[0][-3:] == ["data", "model", "comment"]
    assert [row[3] for row in rows[1:]] == [f"00{number}" for number in range(len(NAMES))]


def test_gradescope_document(tmp_path: Path) -> None:
    """results.json has Gradescope's fields and values and no others; its text is plain; scores add up."""
    remarks = export_grades("gradescope", grades()[:1] + grades()[9:], tmp_path / "out", sheet=None, assignment="")
    assert len(remarks) == 1
    document: dict[str, Any] = json.loads((tmp_path / "out" / "Doe.zip" / "results.json").read_text(encoding="utf-8"))
    top = {"score", "execution_time", "output", "output_format", "test_output_format", "test_name_format", "visibility"}
    top |= {"stdout_visibility", "extra_data", "tests", "leaderboard"}
    inner = {"score", "max_score", "status", "name", "name_format", "number", "output", "output_format", "tags", "visibility", "extra_data"}
    assert set(document) <= top
    for test in document["tests"]:
        assert set(test) <= inner
        assert test["status"] in ("passed", "failed")
        assert test["output_format"] == test["name_format"] == "text"
    assert [test["status"] for test in document["tests"]] == ["passed", "failed"]
    assert document["score"] == 2.0
    assert "\x1b" not in json.dumps(document, ensure_ascii=False)


def test_feedback_pages(tmp_path: Path) -> None:
    """Each student who was graded has a page, in which text of a submission is text."""
    files = write_feedback(grades(), tmp_path / "feedback")
    assert len(set(files)) == 9
    for file in files:
        page = file.read_text(encoding="utf-8")
        assert "<script" not in page
        assert "data/one" in page


def test_pages_of_names_that_no_file_can_have(tmp_path: Path) -> None:
    """Long names, and names that some systems take for one another, have a page each under a name that every system takes."""
    made = []
    for number, name in enumerate(("Ada", "ada", "Andr\u00e9", "Andre\u0301", "\u0905" * 90, "\u0905" * 91, "x" * 300)):
        # Everybody has the same login, so that the name alone tells them apart.
        made.append(dataclasses.replace(grades()[0], student=Student(id=number + 1, key="login:u", name=name, login="u")))
    files = write_feedback(made, tmp_path / "feedback")
    assert len({unicodedata.normalize("NFC", file.name).casefold() for file in files}) == len(made)
    assert max(len(file.name.encode()) for file in files) < 150
    assert sorted(files) == sorted((tmp_path / "feedback").iterdir())


@pytest.mark.parametrize(("days", "score"), [(0, 80.0), (2, 80.0), (3, 72.0), (50, 0.0)])
def test_late_days(days: int, score: float) -> None:
    """Ten percent a day after two days that cost nothing, and never less than nothing."""
    assert Policy(10, 2).apply(80.0, days) == score


def test_hidden_examples_stay_hidden(tmp_path: Path) -> None:
    """What students get of an official grade has no example that was drawn from the secret."""
    feedback = Feedback("wrong for 7391", ("expected 7391",), example="f(7391)")
    hidden = dataclasses.replace(CHECKS[1], feedback=feedback, hidden=True)
    result = dataclasses.replace(RESULT, checks=(hidden,)).for_student()
    page = write_feedback([dataclasses.replace(grades()[0], result=result)], tmp_path)[0].read_text(encoding="utf-8")
    assert "f(7391)" not in page
