"""Downloads of all course systems, and rosters."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from grader.batch.intake import LAYOUTS, as_one, read_class
from grader.batch.roster import Person, Roster
from grader.batch.sample import DUE, write_class
from grader.errors import LabError, SubmissionError
from grader.host.intake import take

SOLUTIONS = Path(__file__).parents[2] / "solutions"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_is_recognised_and_read(layout: str, tmp_path: Path) -> None:
    """Each layout is recognised; all submissions are there, each with its student; unknown and missing ones are named."""
    made = write_class(tmp_path / "class", layout, SOLUTIONS)
    roster = Roster.read(made.roster)
    intake = read_class(made.source, roster, due=DUE)
    assert intake.layout == layout
    assert len(intake.submissions) == made.submissions
    by_student = {person.sis_id for one in intake.submissions for person in one.students if person in roster.people}
    assert len(by_student) == len(roster.people) - 2
    assert sum(remark.startswith("unknown:") for remark in intake.remarks) == 1
    assert {person.name for person in intake.missing} == {"Paul Erdos", "Emmy Noether"}
    if layout in ("canvas", "gradescope", "classroom"):
        assert sum(one.late_days > 0 for one in intake.submissions) == 3
    if layout in ("canvas", "gradescope"):
        attempts = [one.attempt for one in intake.submissions if one.students[0].name == "Alan Turing"]
        assert sorted(attempts) == [1, 2]
    again = read_class(made.source, roster, due=DUE)
    assert again == intake
    readable = 0
    for one in intake.submissions:
        try:
            with as_one(one) as place, take(place) as taken:
                readable += bool(taken.digest)
        except SubmissionError:
            continue
    assert readable == made.submissions - 2


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_folder_above_a_download_is_refused(layout: str, tmp_path: Path) -> None:
    """With the roster beside the download, its folder is one step too high: nothing is graded, and the right folder is named."""
    made = write_class(tmp_path / "class", layout, SOLUTIONS)
    assert made.roster.parent == made.source.parent == tmp_path / "class"
    with pytest.raises(LabError, match=rf"looks like the download itself; give {made.source}\."):
        read_class(tmp_path / "class", Roster())


@pytest.mark.parametrize(
    ("clones", "expected"),
    [
        (["lab1-ada", "lab1-bob", "lab1-evil-ada"], {"lab1-ada": "Ada", "lab1-bob": "Bob", "lab1-evil-ada": ""}),
        (["lab1-bob", "lab1-jane-doe", "lab1-evil-ada"], {"lab1-bob": "Bob", "lab1-jane-doe": "Jane", "lab1-evil-ada": ""}),
        (["first-lab-Jane-Doe", "first-lab-ada"], {"first-lab-Jane-Doe": "Jane", "first-lab-ada": "Ada"}),
        (["first-lab-jane-doe"], {"first-lab-jane-doe": "Jane"}),
        (["ada", "lab1-bob"], {"ada": "Ada", "lab1-bob": "Bob"}),
    ],
)
def test_a_clone_is_of_the_login_behind_the_assignments_name(tmp_path: Path, clones: list[str], expected: dict[str, str]) -> None:
    """A stranger whose login ends like a student's is nobody of the roster; logins and assignments may have hyphens."""
    people = [Person(name=name, github=login) for name, login in (("Ada", "ada"), ("Bob", "bob"), ("Jane", "jane-doe"), ("Doe", "doe"))]
    for name in clones:
        (tmp_path / name / ".git").mkdir(parents=True)
        shutil.copyfile(SOLUTIONS / "data.py", tmp_path / name / "data.py")
    intake = read_class(tmp_path, Roster(people), layout="classroom")
    known = {one.label: next((person.name for person in one.students if person in people), "") for one in intake.submissions}
    assert known == expected
    assert sum(remark.startswith("unknown:") for remark in intake.remarks) == list(expected.values()).count("")


def test_a_class_of_one_is_read(tmp_path: Path) -> None:
    """One student's folder, with a second copy of the work in it, is a submission."""
    for name in ("assignment", "old"):
        (tmp_path / "alice" / name).mkdir(parents=True)
        shutil.copyfile(SOLUTIONS / "data.py", tmp_path / "alice" / name / "data.py")
    (one,) = read_class(tmp_path, Roster()).submissions
    assert one.label == "alice"


def test_loose_files_make_one_submission(tmp_path: Path) -> None:
    """Files that Canvas hands out one by one are put together, without the suffix of a resubmission; a link is not followed."""
    for name in ("data", "model"):
        shutil.copyfile(SOLUTIONS / f"{name}.py", tmp_path / f"doejane_7_11_{name}-1.py")
    secret = tmp_path.parent / "secret.txt"
    secret.write_text("secret", encoding="utf-8")
    (one,) = read_class(tmp_path, Roster()).submissions
    assert one.attempt == 1
    with as_one(one) as place:
        assert sorted(file.name for file in place.iterdir()) == ["data.py", "model.py"]


def test_group_shares_a_submission(tmp_path: Path) -> None:
    """What one of a group hands in counts for all of it, and nobody of it is missing."""
    shutil.copytree(SOLUTIONS, tmp_path / "down" / "ada", ignore=shutil.ignore_patterns("chaffs", "wheats"))
    people = [Person("Ada", "ada", group="one"), Person("Bob", "bob", group="one"), Person("Cy", "cy", group="two")]
    intake = read_class(tmp_path / "down", Roster(people))
    assert [person.login for person in intake.submissions[0].students] == ["ada", "bob"]
    assert [person.login for person in intake.missing] == ["cy"]


@pytest.mark.parametrize(("hours", "days"), [(-1, 0), (0, 0), (1, 1), (24, 1), (25, 2)])
def test_late_days_are_begun_days(hours: int, days: int, tmp_path: Path) -> None:
    """A begun day counts whole; in time is in time."""
    made = write_class(tmp_path / "class", "gradescope", SOLUTIONS)
    one = read_class(made.source, Roster(), due=DUE - timedelta(days=1, hours=hours)).submissions[0]
    assert one.submitted_at == DUE - timedelta(days=1)
    assert one.late_days == days


def test_same_name_is_not_guessed() -> None:
    """A name that two students have finds neither; an id finds the right one; case and accents do not matter."""
    roster = Roster([Person("Kim Lee", "k1", sis_id="001"), Person("Kim Lee", "k2", sis_id="002"), Person("José Muñoz", "jm")])
    assert roster.find(Person("Kim Lee"))[0] is None
    assert roster.find(Person("Kim Lee", sis_id="002"))[0] == roster.people[1]
    assert roster.find(Person("munozjose"))[0] == roster.people[2]


@pytest.mark.parametrize(
    ("text", "words"),
    [("a,b\n1,2\n", "no column that names"), ("login\nada\nada\n", "again in line 3"), ("", "no column that names")],
)
def test_roster_that_cannot_be_used(text: str, words: str, tmp_path: Path) -> None:
    """One sentence says what is wrong with a roster."""
    (tmp_path / "r.csv").write_text(text, encoding="utf-8")
    with pytest.raises(LabError, match=words):
        Roster.read(tmp_path / "r.csv")


def test_canvas_gradebook_is_a_roster(tmp_path: Path) -> None:
    """A gradebook as Canvas exports it: the line with the points possible is nobody; leading zeros stay."""
    text = 'Student,ID,SIS User ID,SIS Login ID,Section,Lab 1 (1)\n    Points Possible,,,,,100\n"Doe, Jane",7,0042,jdoe,S1,\n'
    (tmp_path / "r.csv").write_text(text, encoding="utf-8")
    (person,) = Roster.read(tmp_path / "r.csv").people
    assert (person.name, person.sis_id, person.canvas_id, person.section) == ("Doe, Jane", "0042", "7", "S1")


@pytest.mark.parametrize("source", ["missing", "empty"])
def test_source_without_submissions(source: str, tmp_path: Path) -> None:
    """A folder that is not there, or holds nothing, is one sentence."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabError, match=r"download|no submission"):
        read_class(tmp_path / source, Roster())
