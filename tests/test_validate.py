"""`lab validate`: what it makes of the reference, what it concludes, and that a run finds what is there."""

from __future__ import annotations

import ast
import math
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.results import CheckResult, Feedback, State
from grader.stubs import marked_functions
from grader.validate import validate
from grader.validate.mutants import equivalents, mutants
from grader.validate.report import feedback_page, matrix_csv, summary
from grader.validate.trial import Kind, Trial
from grader.validate.validation import Validation, prepare, upper_bound

SOLUTIONS = Path(__file__).parents[1] / "solutions"
MUTANTS = mutants(SOLUTIONS)


def functions(source: str) -> dict[str, str]:
    """The functions of a module, as text."""
    return {node.name: ast.unparse(node) for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


def result(name: str, *, earned: float = 2.0, state: State = State.PASSED, summary: str = "wrong") -> CheckResult:
    """A check's result."""
    feedback = None if state is State.PASSED else Feedback(summary, help="look | here")
    return CheckResult(name=name, title=name, state=state, points=2.0, earned=earned, duration_s=0.1, feedback=feedback)


def test_there_are_hundreds_of_mutants_each_with_a_name_of_its_own():
    """Every function that students write has some, and names are what the file of equivalents refers to."""
    assert len(MUTANTS) >= 500
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    written = {
        (file.stem, name)
        for file in SOLUTIONS.glob("*.py")
        if file.stem in {m.section for m in MUTANTS}
        for name in marked_functions(file.read_text(), file.name)
    }
    assert {(mutant.section, mutant.function) for mutant in MUTANTS} == written


@pytest.mark.parametrize("mutant", MUTANTS[::25], ids=lambda mutant: mutant.name[:60])
def test_a_mutant_changes_one_function(mutant):
    """Everything else is as in the reference, docstring included."""
    before = functions((SOLUTIONS / f"{mutant.section}.py").read_text(encoding="utf-8"))
    after = functions(mutant.source)
    assert {name for name in before if before[name] != after[name]} == {mutant.function}
    docstrings = [ast.get_docstring(ast.parse(text).body[0]) for text in (before[mutant.function], after[mutant.function])]
    assert docstrings[0] == docstrings[1]


def test_known_equivalents_are_mutants_with_a_reason():
    """A name that belongs to no mutant any more would hide nothing and mislead."""
    known = equivalents(SOLUTIONS)
    assert known
    assert known.keys() <= {mutant.name for mutant in MUTANTS}
    assert all(len(reason) > 10 for reason in known.values())


@given(st.integers(1, 600), st.floats(0, 1))
def test_upper_bound_is_where_so_few_failures_have_the_chance_left(runs: int, share: float):
    """By the definition of Clopper and Pearson; without a failure it is 1 - 0.05^(1/n)."""
    failures = min(runs - 1, int(share * min(runs, 5)))
    bound = upper_bound(failures, runs)
    chance = sum(math.comb(runs, count) * bound**count * (1 - bound) ** (runs - count) for count in range(failures + 1))
    assert chance == pytest.approx(0.05, abs=1e-6)
    assert upper_bound(0, runs) == pytest.approx(1 - 0.05 ** (1 / runs), abs=1e-9)


def test_conclusions_follow_from_the_trials():
    """One rejected wheat, one chaff without its words, one survivor, one differing grading: each is told, and nothing holds."""
    found = prepare(SOLUTIONS, ("wheats", "chaffs", "mutants"), ("timing",))
    entry, mutant = found.chaffs[0], found.mutants[0]
    section = entry.check.partition("/")[0]
    lost = result(entry.check, earned=1.0, state=State.PARTIAL, summary="nothing to the point")
    found.trials = [
        Trial(Kind.WHEAT, "good", (result(f"{section}/a"),)),
        Trial(Kind.CHAFF, entry.name, (lost, result(f"{section}/other"))),
        Trial(Kind.MUTANT, mutant.name, (result(f"{section}/a"),)),
        Trial(Kind.REPEAT, "1: reference", (lost,)),
    ]
    assert [trial.name for trial in found.rejected()] == ["good"]
    assert [(trial.name, "without" in why) for trial, why in found.missed()] == [(entry.name, True)]
    assert [trial.name for trial in found.survivors()] == [mutant.name]
    assert [trial.name for trial in found.differing()] == ["1: reference"]
    assert found.catches()[entry.check]["alone"] == [entry.name]
    assert not found.holds
    lines = "\n".join(summary(found))
    assert "wheats      0 of 1 at 100" in lines
    assert "1 repeated, 1 differing" in lines
    assert "does NOT hold" in lines
    assert f"chaff,{entry.name}," in matrix_csv(found)
    assert "nothing to the point | look \\| here |" in feedback_page(found)


def test_repeats_go_on_where_an_earlier_run_ended():
    """Two runs, the second from the number where the first ended, grade what one run grades; no secret comes twice."""
    nothing = Validation(SOLUTIONS)
    whole = nothing.plans(repeat=40)
    assert nothing.plans(repeat=25) + nothing.plans(repeat=15, first=25) == whole
    assert len({plan.secret for plan in whole}) == 40


def test_undecided_costs_nothing():
    """What the grader cannot decide is no loss, and no catch either."""
    trial = Trial(Kind.REPEAT, "1", (result("timing/real_run", earned=0.0, state=State.UNDECIDED),))
    assert not trial.lost
    assert trial.undecided == ["timing/real_run"]


def test_a_run_catches_what_is_wrong_and_lets_pass_what_is_right(tmp_path):
    """Real gradings in processes: a chaff with its words, a caught mutant, and one that changes nothing."""
    shutil.copytree(SOLUTIONS, tmp_path / "solutions", ignore=shutil.ignore_patterns("wheats", ".state"))
    (tmp_path / "solutions" / "wheats").mkdir()
    found = prepare(tmp_path / "solutions", ("chaffs", "mutants"), ("timing",))
    found.chaffs = [entry for entry in found.chaffs if entry.name == "11_no_warmup"]
    caught = next(mutant for mutant in found.mutants if "1000 -> 999" in mutant.name)
    same = type(caught)("timing.same", "timing", "time_online", (SOLUTIONS / "timing.py").read_text(encoding="utf-8"))
    found.mutants = [caught, same]
    seen = []
    validate(found, repeat=1, keyword="test_timing.py", processes=2, listener=lambda trial, count: seen.append(count))
    assert seen == [4] * 4
    assert not found.missed()
    assert [trial.name for trial in found.survivors()] == ["timing.same"]
    assert not found.differing()
    assert found.repeats()["timing/real_run"] == (1, 0)


def test_an_interrupted_run_tells_what_it_found():
    """After Ctrl-C what was graded by then is told, nothing more is waited for, and no process stays."""
    command = [sys.executable, "-m", "grader", "validate", "--repeat", "40", "-k", "wilson", "--processes", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    line = process.stderr.readline()
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, output + errors
    assert line.startswith("4 of 40")
    repeated = re.search(r"gradings +(\d+) repeated, 0 differing", output)
    assert repeated is not None, output
    assert 4 <= int(repeated[1]) < 40
    assert "interrupted" in errors
    assert psutil.wait_procs(children, timeout=30)[1] == []


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="no bubblewrap here: what outlives a killed `lab validate` is NOT tested")
def test_nothing_outlives_a_killed_run():
    """When the command is killed, the processes that grade and those that keep the cores busy end too."""
    command = [sys.executable, "-m", "grader", "validate", "--repeat", "40", "-k", "wilson", "--processes", "1", "--load"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    children: list[psutil.Process] = []
    while not any(child.name() == "bwrap" for child in children):  # a zygote starts
        assert process.poll() is None
        time.sleep(0.1)
        children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait(60)
    assert psutil.wait_procs(children, timeout=30)[1] == []


def test_an_empty_validation_holds():
    """Nothing tried, nothing wrong; no line claims anything."""
    nothing = Validation(SOLUTIONS)
    assert nothing.holds
    assert [line.split()[0] for line in summary(nothing)] == ["took", "the"]


def test_a_validation_that_was_stopped_says_how_far_it_came():
    """What was not tried is not said to hold."""
    stopped = Validation(SOLUTIONS, trials=[Trial(Kind.REPEAT, "1: reference", (result("data/a"),))], planned=20)
    assert [*summary(stopped)][-1] == "the grader holds in 1 of 20 gradings"
