"""Every class of cheat is tried for real, and stopped, in each tier that this machine has; each layer also stops alone what it is for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from grader.checks.check import seed_of
from grader.export.cells import harmless
from grader.host import jail
from grader.host.jail import Jail
from tests.attacks.archives import ARCHIVES
from tests.attacks.arena import Arena, arena, fools_naive
from tests.attacks.calls import CALLS
from tests.attacks.grades import GRADES, GradeAttack
from tests.attacks.other_user import ROOT, other_user, run_as_other

ELSEWHERE = {
    "guessable seeds": "test_seeds_tell_nothing",
    "spreadsheet formulas": "test_formulas_are_text",
}
"""Classes that are tried by a test of their own."""

CLASSES = (
    # control flow
    *("sys.exit", "os._exit", "SkipTest", "KeyboardInterrupt", "a hang taken for a skip", "atexit", "threads or finalisers that act later"),
    '"100 passed" printed',
    # test framework
    *(
        "conftest.py",
        "plugins",
        "pytest.ini",
        "sitecustomize",
        ".pth",
        "PYTHON* variables",
        "shadow modules",
        "import hooks",
        "stale .pyc",
        "PATH",
    ),
    # reading answers
    *(
        "hidden checks or solutions on disk",
        "sys.modules",
        "frames",
        "gc over inherited memory",
        "environment",
        "argv",
        "/proc of the parent",
    ),
    *("inherited descriptors", "ptrace", "error messages that echo expected values", "guessable seeds", "residue of an earlier run"),
    # lying values
    *("__eq__", "__array_ufunc__", "subclasses", "empty arrays", "NaN arrays", "float16 arrays", "lazy objects", "mutating objects"),
    # clock
    *("patched time functions", "cached outputs", "work done outside the timed region"),
    # data files
    *("pickle", ".npy header of 1e12 elements", ".keras Lambda", ".h5", "zip-slip", "symlinks", "hard links", "bombs", "duplicate names"),
    *("NaN or deep JSON", "HTML, ANSI and Markdown in reports", "spreadsheet formulas"),
    # operating system
    *("overwrite or chmod of results", "forged or repeated frames", "kill", "kill of a process group", "daemons left behind", "fork bomb"),
    *("memory bomb over several processes", "disk and inode fill", "output flood", "CPU burn in children", "network", "abstract sockets"),
    *("io_uring", "bpf", "keyrings", "user namespaces", "32-bit system calls"),
)
"""What cheats do, by class."""

TIERS = [tier for tier in "AB" if tier >= jail.probe().tier]
CALLED = [
    pytest.param(tier, source, id=f"{tier}-{kind}: {name}")
    for tier in (*TIERS, "C")
    for kind, attacks in CALLS.items()
    for name, tiers, source in attacks
    if tier in tiers
]
GRADED = [pytest.param(tier, attack, id=f"{tier}-{attack.kind}: {attack.name}") for tier in (*TIERS, "C") for attack in GRADES]


@pytest.fixture(scope="module")
def arenas() -> Iterator[Callable[[str], Arena]]:
    """`arenas("A")` is the arena of a tier: one zygote for all its attacks."""
    with ExitStack() as stack:
        made: dict[str, Arena] = {}

        def of(tier: str) -> Arena:
            if tier not in made:
                made[tier] = stack.enter_context(arena(tier))
            return made[tier]

        yield of


@pytest.fixture
def ours(request: pytest.FixtureRequest, arenas: Callable[[str], Arena]) -> Arena:
    """The arena of the test's tier."""
    return arenas(request.param)


def test_every_class_is_tried() -> None:
    """The catalogue has an attack for each class, and no class that is not in the list."""
    tried = {*CALLS, *(attack.kind for attack in GRADES), *(kind for kind, _, _ in ARCHIVES), *ELSEWHERE}
    assert set(CLASSES) == tried
    assert all(name in globals() for name in ELSEWHERE.values())


def test_machines_of_the_project_have_tier_a() -> None:
    """Where CI runs, no tier is left out; elsewhere the tiers that are missing are said by `make attacks`."""
    assert TIERS == ["A", "B"] or not os.environ.get("CI")


@pytest.mark.parametrize(("ours", "source"), CALLED, indirect=["ours"])
def test_calls_are_stopped(ours: Arena, source: str) -> None:
    """A system call, a file or a process that a submission has no business with is out of its reach."""
    assert ours.call(source) == ""
    assert ours.sitting.poll() is None


@pytest.mark.parametrize(("ours", "attack"), GRADED, indirect=["ours"])
def test_grades_are_not_raised(ours: Arena, attack: GradeAttack) -> None:
    """Nothing but the right answer earns points, and nothing of a secret or of markup reaches a report."""
    assert ours.grade(attack) == ""


@pytest.mark.parametrize("ours", [*TIERS, "C"], indirect=True)
def test_other_submissions_are_graded_as_ever(ours: Arena) -> None:
    """After all these attacks, on the same zygote, the reference earns everything."""
    assert ours.innocent() == ""


@pytest.mark.parametrize("attack", [attack for attack in GRADES if attack.fools_naive], ids=lambda attack: f"{attack.kind}: {attack.name}")
def test_attacks_fool_a_grader_in_the_same_process(attack: GradeAttack) -> None:
    """What is stopped here does work against a grader that imports the submission, so these tests can fail."""
    assert fools_naive(attack)


@pytest.mark.parametrize(("kind", "name", "run"), ARCHIVES, ids=lambda value: str(value) if isinstance(value, str) else "")
def test_hostile_archives(kind: str, name: str, run: object) -> None:
    """Only the expected files of an archive or folder are taken, with their own content, into the grader's own folder."""
    assert callable(run)
    assert run() == "", f"{kind}: {name}"


def test_seeds_tell_nothing() -> None:
    """Public and official seeds of a check, and seeds of two checks, have nothing in common that a submission could compute."""
    seeds = [seed_of(secret, name) for secret in (None, b"public", b"a", b"b") for name in ("training/early_stopping", "data/wilson")]
    assert len(set(seeds)) == len(seeds)


@pytest.mark.parametrize("text", ["=cmd|'/c calc'!A0", "+1", "-1+cmd", "@SUM(1)", "\t=1", "\r=1", "\u200b=1+1", "\ufeff=1", "\uff1d1+1"])
def test_formulas_are_text(text: str) -> None:
    """A name that a spreadsheet would run is written as text."""
    assert harmless(text).startswith("'")


def test_no_other_cell_begins_with_a_formula() -> None:
    """Where a spreadsheet parts cells by a semicolon, what comes behind one is text too."""
    assert harmless("x;=1+1; @SUM(1);y-2") == "x;'=1+1; '@SUM(1);y-2"


BUBBLEWRAP = jail.choose("A").bubblewrap
LAYERS = {
    "bubblewrap": (
        Jail(BUBBLEWRAP, os.geteuid() == 0, ()),
        {"argv", "kill of a process group"},
        {"find a secret's file by stat", "connect to loopback", "connect to one", "read the rubric"},
    ),
    "privileges": (Jail(None, False, ("privileges",)), set(), {"chroot", "mount"}),
    "landlock": (
        Jail(None, False, ("landlock",)),
        {"overwrite or chmod of results", "hidden checks or solutions on disk", "residue of an earlier run", "argv"},
        {"kill a process of the grader's user", "a pipe in the scratch folder, for the grader to wait at"},
    ),
    "seccomp": (
        Jail(None, False, ("seccomp",)),
        {
            "fork bomb",
            "daemons left behind",
            "network",
            "io_uring",
            "bpf",
            "keyrings",
            "user namespaces",
            "32-bit system calls",
            "abstract sockets",
        },
        {
            "kill a process of the grader's user",
            "chmod a file outside",
            "shared memory without a name",
            "a symbolic link out of the scratch folder",
        },
    ),
}
"""Layer by layer: the jail that is nothing but this layer, and the classes and attacks that it stops alone."""

NOT_ALONE = {"find a secret's file by stat", "open by handle", "chmod a file outside", "read its own command line"}


@pytest.fixture(scope="module", params=LAYERS)
def layer(request: pytest.FixtureRequest) -> Iterator[tuple[Arena, set[str], set[str]]]:
    """An arena with one layer."""
    made, kinds, names = LAYERS[request.param]
    if request.param == "bubblewrap" and BUBBLEWRAP is None:
        pytest.skip(f"bubblewrap cannot be tested alone: {jail.probe().missing}")
    if request.param == "privileges" and os.geteuid() != 0:
        pytest.skip("this user has no privileges that could be given up")
    with arena(made) as ours:
        yield ours, kinds, names


def test_each_layer_alone_stops_what_it_is_for(layer: tuple[Arena, set[str], set[str]]) -> None:
    """With the other layers off, a layer still stops the classes of attack that it is there for."""
    ours, kinds, names = layer
    chosen = [
        (f"{kind}: {name}", source)
        for kind, attacks in CALLS.items()
        for name, _, source in attacks
        if name in names or (kind in kinds and name not in NOT_ALONE)
    ]
    assert chosen
    assert {what: won for what, source in chosen if (won := ours.call(source))} == {}


def test_unprivileged_user_is_held_as_well() -> None:
    """Root's run has shown tiers A and B; the same attacks from a grader that runs as nobody, in the highest tier."""
    if os.geteuid() != 0:
        pytest.skip("the other tests run as an unprivileged user already")
    found = run_as_other(TIERS[:1])
    assert not isinstance(found, str), found
    rows = found[TIERS[0]]
    assert len(rows) > 100
    assert [row for row in rows if row["won"] and row["promised"]] == []


def test_root_of_a_rootless_container_is_held_as_well() -> None:
    """Somebody who is root in a namespace of their own, which knows no other user, gets the tier that they would have outside."""
    with other_user() as other:
        if isinstance(other, str):
            pytest.skip(f"A ROOTLESS CONTAINER IS NOT TRIED: {other}")
        code = "from grader.host import jail; found = jail.probe(); print(found.tier, *found.missing)"
        tiers = []
        for inside in ([], ["unshare", "--user", "--map-root-user"]):
            done = subprocess.run([*inside, other.python, "-P", "-c", code], capture_output=True, text=True, check=False, **other.who)
            if inside and "unshare" in done.stderr:
                pytest.skip(f"A ROOTLESS CONTAINER IS NOT TRIED: {done.stderr.strip()}")
            assert done.returncode == 0, done.stderr
            tiers.append(done.stdout.strip())
    assert tiers[1] == tiers[0]


def test_root_that_may_make_no_namespace_is_held_as_well() -> None:
    """In a container without CAP_SYS_ADMIN, root's workers become another user, outside of bubblewrap: tier B."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("ROOT WITHOUT CAP_SYS_ADMIN IS NOT TRIED: this is no root's process, or setpriv is not there")
    code = "from grader.host import jail; found = jail.probe(); print(found.tier, *found.missing)"
    command = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert said.startswith("B bubblewrap ")
