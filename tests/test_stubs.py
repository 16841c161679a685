"""The stubs: what a student starts from is the reference without its answers, and is never written over somebody's work."""

import ast
import importlib
import importlib.machinery
import importlib.util
import inspect
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import typer.main
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.cli import app
from grader.errors import LabError
from grader.lab import MODULE_FILES, SECTIONS
from grader.stubs import END, START, stub_files, stub_findings, stub_module, write_stubs

ROOT = Path(__file__).parents[1]
SOLUTIONS = ROOT / "solutions"
ASSIGNMENT = ROOT / "assignment"

GIVEN = {"load_events"}
"""Functions that a student gets ready-made."""

ONE_FUNCTION = f'''"""A module."""


def double(number):
    """Twice the number."""
    {START}
    return 2 * number
    {END}
'''


def functions(source: str) -> dict[str, ast.FunctionDef]:
    """The functions of a module, by name."""
    return {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


@pytest.fixture(scope="module")
def stubs() -> Iterator[dict[str, ModuleType]]:
    """The stubs in assignment/, imported as a package of another name, so that no other test sees them."""
    spec = importlib.machinery.ModuleSpec("stubs_under_test", None, is_package=True)
    spec.submodule_search_locations = [str(ASSIGNMENT)]
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    yield {section: importlib.import_module(f"{spec.name}.{section}") for section in SECTIONS}
    for name in [name for name in sys.modules if name.split(".")[0] == spec.name]:
        del sys.modules[name]


def test_assignment_is_the_solutions_stub():
    """What students get is what the reference of today gives: nothing drifted."""
    assert write_stubs(SOLUTIONS, ASSIGNMENT, check=True) == []


def test_solutions_follow_the_contract():
    """Names, parameters and defaults of every function are those in docs/design.md."""
    contract = (ROOT / "docs" / "design.md").read_text(encoding="utf-8").split("## What a student writes")[1]
    lines = re.findall(r"^def .*?\) -> [^#\n]+", contract, flags=re.MULTILINE)
    promised = {name: parameters(node) for line in lines for name, node in functions(f"{line.rstrip()}: ...").items()}
    written = {
        name: parameters(node)
        for file in MODULE_FILES
        for name, node in functions((SOLUTIONS / file).read_text(encoding="utf-8")).items()
        if name not in GIVEN
    }
    assert len(promised) > 20
    assert written == promised


def parameters(function: ast.FunctionDef) -> str:
    """Parameters with their kinds and defaults, without annotations."""
    function = ast.parse(ast.unparse(function)).body[0]
    for argument in [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]:
        argument.annotation = None
    return ast.unparse(function.args)


@pytest.mark.parametrize("file", MODULE_FILES)
def test_stub_keeps_signatures_and_docstrings(file: str):
    """A stub has the reference's functions, with the same parameters, types, docstrings and order; only bodies differ."""
    solution = functions((SOLUTIONS / file).read_text(encoding="utf-8"))
    stub = functions((ASSIGNMENT / file).read_text(encoding="utf-8"))
    assert list(stub) == list(solution)
    for name, function in solution.items():
        assert ast.unparse(stub[name].args) == ast.unparse(function.args)
        assert ast.unparse(stub[name].returns) == ast.unparse(function.returns)
        assert ast.get_docstring(stub[name], clean=False) == ast.get_docstring(function, clean=False)
        if name in GIVEN:
            assert ast.unparse(stub[name]) == ast.unparse(function)


@pytest.mark.parametrize("file", MODULE_FILES)
def test_stub_holds_no_answer(file: str):
    """A body that a student writes is one line, and no marker or line of the answer is left."""
    stub = (ASSIGNMENT / file).read_text(encoding="utf-8")
    assert START not in stub
    assert END not in stub
    for name, function in functions(stub).items():
        body = [ast.unparse(node) for node in function.body[1:]]
        assert name in GIVEN or body == ["raise NotImplementedError"]


@pytest.mark.parametrize("file", MODULE_FILES)
def test_stub_says_how_to_check_it(file: str):
    """The first lines name the section and the command that checks it."""
    head = (ASSIGNMENT / file).read_text(encoding="utf-8").split('"""')[0]
    section = file.removesuffix(".py")
    assert f"{section}, 20 points" in head
    assert f"pytest grader -k {section}" in head


@pytest.mark.parametrize("section", SECTIONS)
def test_stub_can_be_imported_and_is_not_started(stubs: dict[str, ModuleType], section: str):
    """A stub imports, its records exist, and each function says that it is not written yet."""
    module = stubs[section]
    own = [value for value in vars(module).values() if inspect.isfunction(value) and value.__module__ == module.__name__]
    unwritten = [function for function in own if function.__name__ not in GIVEN]
    assert len(unwritten) >= 4
    for function in unwritten:
        needed = {name: None for name, kind in inspect.signature(function).parameters.items() if kind.default is kind.empty}
        with pytest.raises(NotImplementedError):
            function(**needed)


def test_findings_stub_has_the_keys_and_no_value():
    """The form asks for the same keys and answers none; the comments that explain them stay."""
    source = (SOLUTIONS / "findings.toml").read_text(encoding="utf-8")
    form = (ASSIGNMENT / "findings.toml").read_text(encoding="utf-8")
    answered, empty = tomllib.loads(source), tomllib.loads(form)
    assert {name: list(table) for name, table in empty.items()} == {name: list(table) for name, table in answered.items()}
    assert tuple(empty) == SECTIONS
    assert {value for table in empty.values() for value in table.values()} == {"?"}
    assert [line for line in form.splitlines() if line.startswith("#")] == [line for line in source.splitlines() if line.startswith("#")]


def test_handout_names_every_function_and_finding():
    """A student who reads the handout hears of all that is graded."""
    handout = (ASSIGNMENT / "README.md").read_text(encoding="utf-8")
    for file in MODULE_FILES:
        for name in functions((SOLUTIONS / file).read_text(encoding="utf-8")):
            assert f"`{name}`" in handout, name
    for table in tomllib.loads((SOLUTIONS / "findings.toml").read_text(encoding="utf-8")).values():
        for key in table:
            assert f"`{key}`" in handout, key


COMMANDS = sorted(
    {
        line.split("#")[0].strip()
        for file in (ASSIGNMENT / "README.md", SOLUTIONS / "README.md", *ASSIGNMENT.glob("*.py"))
        for line in re.findall(r"(?:^|`|: )(lab [a-z][^`\n]*)", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_that_students_are_told_exist(command: str):
    """Every `lab ...` line of the handout and the stubs is one that the command line takes; it is parsed here, not run."""
    parser, words = typer.main.get_command(app), shlex.split(command)
    while hasattr(parser, "commands"):
        name, words = words[1], words[1:]
        parser = parser.commands[name]
    parser.make_context(command, words[1:])


def test_handout_shows_pictures_that_are_there():
    """Every picture of the handout lies beside it, so that the folder can be given away alone."""
    pictures = re.findall(r"!\[.+?\]\((.+?)\)", (ASSIGNMENT / "README.md").read_text(encoding="utf-8"))
    assert pictures
    assert [picture for picture in pictures if not (ASSIGNMENT / picture).is_file()] == []


def test_write_stubs_into_a_new_folder(tmp_path: Path):
    """All files are written, equal to what stub_files gives, and a second time there is nothing to do."""
    target = tmp_path / "new" / "assignment"
    written = write_stubs(SOLUTIONS, target)
    assert {path.name: path.read_text(encoding="utf-8") for path in written} == stub_files(SOLUTIONS)
    assert write_stubs(SOLUTIONS, target) == []
    assert write_stubs(SOLUTIONS, target, check=True) == []


def test_write_stubs_refuses_to_write_over_work(tmp_path: Path):
    """A file that was edited stops everything, is named, and no other file is touched."""
    write_stubs(SOLUTIONS, tmp_path)
    (tmp_path / "data.py").write_text("my = 'work'\n")
    (tmp_path / "model.py").unlink()
    with pytest.raises(LabError, match=r"data\.py") as refused:
        write_stubs(SOLUTIONS, tmp_path)
    assert "timing.py" not in str(refused.value)
    assert (tmp_path / "data.py").read_text() == "my = 'work'\n"
    assert not (tmp_path / "model.py").exists()


def test_write_stubs_can_be_forced(tmp_path: Path):
    """With force an edited file becomes a stub again, and only what differed is written."""
    write_stubs(SOLUTIONS, tmp_path)
    (tmp_path / "data.py").write_text("my = 'work'\n")
    assert write_stubs(SOLUTIONS, tmp_path, force=True) == [tmp_path / "data.py"]
    assert write_stubs(SOLUTIONS, tmp_path, check=True) == []


def test_check_names_what_drifted_and_writes_nothing(tmp_path: Path):
    """Drift is told with file names, missing ones too; the folder stays as it is, even with force."""
    write_stubs(SOLUTIONS, tmp_path)
    (tmp_path / "timing.py").write_text("edited = True\n")
    (tmp_path / "findings.toml").unlink()
    with pytest.raises(LabError, match=r"timing\.py \(differs\), findings\.toml \(missing\)"):
        write_stubs(SOLUTIONS, tmp_path, check=True, force=True)
    assert (tmp_path / "timing.py").read_text() == "edited = True\n"
    assert not (tmp_path / "findings.toml").exists()


def test_other_line_ends_are_no_drift(tmp_path: Path):
    """Git on Windows writes other line ends; that is nobody's edit."""
    write_stubs(SOLUTIONS, tmp_path)
    text = (tmp_path / "data.py").read_bytes()
    (tmp_path / "data.py").write_bytes(text.replace(b"\n", b"\r\n"))
    assert write_stubs(SOLUTIONS, tmp_path, check=True) == []


def test_missing_reference_is_named(tmp_path: Path):
    """A folder without the reference's files is an error that names the first one missing."""
    with pytest.raises(LabError, match=r"data\.py"):
        write_stubs(tmp_path, tmp_path / "assignment")


def test_stub_module_takes_the_answer_out():
    """What stands between the markers is replaced; all else is the same text."""
    stub = stub_module(ONE_FUNCTION, "one.py")
    assert stub == '"""A module."""\n\n\ndef double(number):\n    """Twice the number."""\n    raise NotImplementedError\n'


BROKEN = {
    "no end": (ONE_FUNCTION.replace(f"    {END}\n", ""), "the end of the file"),
    "no start": (ONE_FUNCTION.replace(f"    {START}\n", ""), "an end without a start"),
    "no markers": (ONE_FUNCTION.replace(f"    {START}\n", "").replace(f"    {END}\n", ""), "no markers"),
    "no end before the next start": (ONE_FUNCTION.replace(f"    {END}\n", "") + ONE_FUNCTION, "another start"),
    "no end, and no start in the next": (
        ONE_FUNCTION.replace(f"    {END}\n", "") + ONE_FUNCTION.replace(f"    {START}\n", ""),
        "elsewhere",
    ),
    "misspelt": (ONE_FUNCTION.replace(END, "# <<< your cod"), "your cod'"),
    "statement before": (ONE_FUNCTION.replace(f"    {START}", f"    number += 1\n    {START}"), "statements outside"),
    "statement after": (
        ONE_FUNCTION.replace("    return 2 * number\n", "").replace(END, f"{END}\n    return 2 * number"),
        "statements outside",
    ),
    "statement on the marker's line": (ONE_FUNCTION.replace(f"    {START}", f"    number += 1  {START}"), "statements outside"),
    "no docstring": (ONE_FUNCTION.replace('    """Twice the number."""\n', ""), "docstring"),
    "outside a function": (f'"""A module."""\n{START}\nnumber = 1\n{END}\n', "elsewhere"),
    "two pairs": (ONE_FUNCTION + f"    {START}\n    {END}\n", "elsewhere|two in"),
    "no Python": ("def double(:\n", "invalid syntax"),
    "unclosed bracket": (ONE_FUNCTION.replace("2 * number", "(2 * number"), "never closed"),
}


@pytest.mark.parametrize(("source", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_reference_is_a_clear_error(source: str, said: str):
    """Missing or misplaced markers are told with the file and what is wrong, and never give a stub."""
    with pytest.raises(LabError, match=said) as error:
        stub_module(source, "one.py")
    assert "one.py" in str(error.value)


def test_marker_inside_a_string_is_text():
    """Only comments are markers: a docstring may speak of them."""
    source = ONE_FUNCTION.replace("Twice the number.", f"Twice.\n\n    {START}\n    ")
    assert START in stub_module(source, "one.py")


names = st.from_regex(r"[a-z]{1,8}", fullmatch=True).filter(lambda name: not importlib.import_module("keyword").iskeyword(name))
statements = st.sampled_from(
    ["total = 0", "if True:\n        total = 1", "text = '# <<< your code'", "def inner():\n        return 1", "return 2", "pass"]
)


@settings(deadline=None)
@given(st.dictionaries(names, st.lists(statements, min_size=1, max_size=4), min_size=1, max_size=4))
def test_any_bodies_become_not_implemented(bodies: dict[str, list[str]]):
    """Whatever the answers are, the stub is Python with the same functions in the same order and none of the answers."""
    source = "".join(
        f'def {name}(x=1):\n    """Document {name}."""\n    {START}\n'
        + "".join(f"    {statement}\n" for statement in body)
        + f"    {END}\n\n\n"
        for name, body in bodies.items()
    )
    made = functions(stub_module(source, "any.py"))
    assert list(made) == list(bodies)
    for name, function in made.items():
        assert ast.get_docstring(function) == f"Document {name}."
        assert [ast.unparse(node) for node in function.body[1:]] == ["raise NotImplementedError"]


values = st.sampled_from(['"conv2"', "0.61", "[1.0, 2.0]", "true", "200", '"a # b = c"'])


@settings(deadline=None)
@given(st.dictionaries(names, st.dictionaries(names, values, max_size=4), min_size=1, max_size=4))
def test_any_findings_become_a_form(tables: dict[str, dict[str, str]]):
    """Whatever the values are, the form has the same tables and keys with "?" in each."""
    source = "".join(
        f"[{name}]\n# about\n" + "".join(f"{key} = {value}\n" for key, value in table.items()) for name, table in tables.items()
    )
    assert tomllib.loads(stub_findings(source)) == {name: dict.fromkeys(table, "?") for name, table in tables.items()}


@pytest.mark.parametrize(
    "source", ["[data]\nlist = [\n  1,\n]\n", "[data\n", '[data]\ntext = """\nlong\n"""\n', "loose = 1\n", "[a.b]\nc = 1\n"]
)
def test_findings_that_are_no_form_are_refused(source: str):
    """Values over several lines, nested tables and broken TOML are told, not half taken out."""
    with pytest.raises(LabError, match=r"findings\.toml"):
        stub_findings(source)
