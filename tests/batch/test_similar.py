"""`lab similar`: copies are found through other names, comments and order; what is given or common is not held against anybody."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grader.bank import entries, overlay
from grader.batch.intake import read_class
from grader.batch.roster import Roster
from grader.similar import Text, compare, render_pairs
from grader.similar.texts import read_texts

ROOT = Path(__file__).parents[2]
SOLUTIONS = ROOT / "solutions"
STUBS = {"timing.py": (ROOT / "assignment" / "timing.py").read_text(encoding="utf-8")}


def text(name: str, source: str) -> Text:
    """A submission of one module."""
    return Text(name, name.title(), frozenset([name]), {"timing.py": source})


def own(name: str) -> str:
    """The module of a wheat: another person's way of writing it."""
    (entry,) = (entry for entry in entries(SOLUTIONS / "wheats") if entry.name == name)
    reference = (SOLUTIONS / "timing.py").read_text(encoding="utf-8")
    return overlay(reference, (entry.folder / "timing.py").read_text(encoding="utf-8"))


def disguised(source: str) -> str:
    """A copy with other names for the variables, other comments and other strings."""
    for old in ("start", "total_s", "batches", "batch", "call", "first"):
        source = re.sub(rf"\b{old}\b(?! *=[^=]*,)", f"my_{old}", source)
    return source.replace("# ", "# mine: ")


def test_white_space_is_not_compared(tmp_path: Path) -> None:
    """A file of hardly anything but spaces and empty lines is read as what is in it: comparing these would take hours."""
    folder = tmp_path / "class" / "ada"
    folder.mkdir(parents=True)
    (folder / "timing.py").write_text("x = 1  \n" + "\n " * 100_000 + "\n\f\r y = 2\n\nz = 3", encoding="utf-8")
    (one,) = read_texts(read_class(tmp_path / "class", Roster()), [])
    assert one.files["timing.py"] == "x = 1\n\n y = 2\n\nz = 3\n"


@pytest.mark.parametrize("odd", ["x = '%" + "0" * 50_000 + "'", 'x = "' + "\\N{" * 50_000 + '"'])
def test_strings_that_take_long_to_read_are_cut(tmp_path: Path, odd: str) -> None:
    """A string of which no end is in sight is read as far as any line is: the library takes the square of its length."""
    folder = tmp_path / "class" / "ada"
    folder.mkdir(parents=True)
    (folder / "timing.py").write_text(f"{odd}\ny = 2\n" + "z = 3\n" * 50_000, encoding="utf-8")
    (one,) = read_texts(read_class(tmp_path / "class", Roster()), [])
    assert max(map(len, one.files["timing.py"].splitlines())) <= 1_000
    assert "\ny = 2\nz = 3\n" in one.files["timing.py"]
    assert len(one.files["timing.py"]) == 100_000
    assert "\\N{" not in one.files["timing.py"]


def test_a_disguised_copy_is_found_and_another_solution_is_not():
    """Renaming hides nothing; two people who solve it their own way share little."""
    one, copy, other = (
        text("ada", own("terse_and_pandas")),
        text("bob", disguised(own("terse_and_pandas"))),
        text("eve", own("numpy_and_pillow")),
    )
    pairs = compare([one, copy, other], STUBS, least=0.0)
    shares = {(pair.first.label, pair.second.label): pair.share for pair in pairs}
    assert shares["ada", "bob"] > 0.7
    assert max(share for names, share in shares.items() if names != ("ada", "bob")) < 0.5


def test_stubs_do_not_count():
    """Two who wrote nothing have nothing in common but what they were given."""
    assert compare([text("ada", STUBS["timing.py"]), text("bob", STUBS["timing.py"] + "\nx = 1\n")], STUBS, least=0.0) == []


def test_what_many_wrote_does_not_count():
    """The way in which most of a class writes it is no sign of copying; a pair in a large class is."""
    common, rare = own("numpy_and_pillow"), own("terse_and_pandas")
    many = [text(f"s{number}", common) for number in range(20)]
    assert compare(many, STUBS, least=0.0) == []
    pairs = compare([*many, text("ada", rare), text("bob", rare)], STUBS, least=0.0)
    assert [(pair.first.label, pair.second.label) for pair in pairs] == [("ada", "bob")]
    assert pairs[0].share > 0.99


def test_partners_are_not_compared():
    """A group hands in one work under several names."""
    source = own("terse_and_pandas")
    one = Text("a", "Ada and Bob", frozenset(["ada", "bob"]), {"timing.py": source})
    other = Text("b", "Bob", frozenset(["bob"]), {"timing.py": source})
    assert compare([one, other], STUBS, least=0.0) == []


def test_page_marks_what_is_shared_and_escapes_the_rest():
    """Side by side, with the shared code marked; markup in names and code stays text, and there is no script."""
    source = own("terse_and_pandas") + '\nNOTE = "<script>alert(1)</script>"\n'
    ada, bob = text("ada", source), Text("<b>bob", "<img src=x>", frozenset(["bob"]), {"timing.py": source})
    page = render_pairs(compare([ada, bob], STUBS, least=0.0), compared=2)
    assert page.count("<mark>") >= 2
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_same_result_each_time():
    """Python's hashes of text differ from start to start; what is told does not."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_similar as t; from grader.similar import compare; "
        "print([(p.share, p.modules[0].places) for p in compare([t.text('a', t.own('terse_and_pandas')), "
        "t.text('b', t.disguised(t.own('terse_and_pandas')))], t.STUBS, least=0.0)])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent)],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


@pytest.mark.parametrize("layout", ["folder"])
def test_on_a_download(tmp_path, layout):
    """The command reads a download as `lab batch` does, tells what it cannot read, and writes the page."""
    download = tmp_path / "download"
    for name in ("ada", "bob"):
        shutil.copytree(ROOT / "assignment", download / name)
        (download / name / "timing.py").write_text(own("terse_and_pandas"), encoding="utf-8")
    (download / "eve").mkdir()
    (download / "eve" / "essay.txt").write_text("I had no time.")
    command = [sys.executable, "-m", "grader", "similar", str(download), "--layout", layout, "-o", str(tmp_path / "pairs.html")]
    done = subprocess.run([*command, "--stubs", str(ROOT / "assignment")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "100%  ada and bob (timing.py 100%)" in done.stdout
    assert "eve cannot be compared" in done.stdout
    assert "<mark>" in (tmp_path / "pairs.html").read_text(encoding="utf-8")
