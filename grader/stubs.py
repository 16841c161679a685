"""From the reference to what a student starts from.

A stub is the reference's file with what stands between two marker comments taken out: imports, records, signatures, docstrings and given
functions are the same text, so the two cannot disagree. In findings.toml every value becomes "?".
"""

import ast
import io
import itertools
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from grader.errors import LabError
from grader.lab import FINDINGS_FILE, MODULE_FILES, SECTION_POINTS, SECTIONS

START: Final = "# >>> your code"
END: Final = "# <<< your code"
"""The comments around what a student writes: all of a function's body but its docstring."""

UNANSWERED: Final = "?"
"""The value of a finding that nobody filled in."""

HEADER: Final = """\
# Section {number} of {sections}: {section}, {points} points.
# Write each function in place of its `raise NotImplementedError`; keep its name and signature, and give what its docstring says.
# Check this section with: pytest grader -k {section}     On every save: lab watch --section {section}

"""

PACKAGE: Final = '''\
"""The lab: five modules to write, one a section, and findings.toml. Start with README.md."""
'''


def stub_module(source: str, name: str) -> str:
    """Turn a module of the reference into its stub.

    Args:
        source: Text of the module.
        name: What to call it in an error.

    Returns:
        The text with `raise NotImplementedError` in the place of each pair of markers and what stands between them.

    Raises:
        LabError: The text is no Python, has no markers, or a marker is missing or misplaced.
    """
    try:
        tree = ast.parse(source)
        regions = _regions(source, name)
    except (SyntaxError, tokenize.TokenError) as error:
        raise LabError(f"Expected {name} to be a Python module. Received: {error}") from error
    if not regions:
        raise LabError(f'Expected {name} to hold at least one function with "{START}" and "{END}" in its body. Received: no markers')
    functions = [_owner(tree, start, end, name) for start, end in regions]
    for earlier, later in itertools.pairwise(functions):
        if earlier is later:
            raise LabError(f"Expected one pair of markers in each function. Received: two in {name}, {later.name}")
    lines = source.splitlines(keepends=True)
    for start, end in reversed(regions):  # from the back, so that the numbers of the lines before stay right
        indentation = lines[start - 1][: lines[start - 1].index("#")]
        lines[start - 1 : end] = [f"{indentation}raise NotImplementedError\n"]
    return "".join(lines)


def marked_functions(source: str, name: str) -> list[str]:
    """Find the functions that students write.

    Args:
        source: Text of a module of the reference.
        name: What to call it in an error.

    Returns:
        Names of the functions with markers, in the file's order.

    Raises:
        LabError: A marker is missing or misplaced.
    """
    tree = ast.parse(source)
    return [_owner(tree, start, end, name).name for start, end in _regions(source, name)]


def stub_findings(source: str, name: str = FINDINGS_FILE) -> str:
    """Turn the reference's findings into an empty form: every value becomes "?", comments and keys stay.

    Args:
        source: Text of the TOML file; a value takes one line.
        name: What to call it in an error.

    Returns:
        The text of the form.

    Raises:
        LabError: The text is no TOML, or a value cannot be taken out by its line.
    """
    form = re.sub(r"^(\w+) *=.*$", rf'\1 = "{UNANSWERED}"', source, flags=re.MULTILINE)
    try:
        answered, empty = tomllib.loads(source), tomllib.loads(form)
    except tomllib.TOMLDecodeError as error:
        raise LabError(f"Expected {name} to be TOML with every value on one line. Received: {error}") from error
    tables = all(isinstance(values, dict) for values in answered.values())
    if not tables or empty != {section: dict.fromkeys(values, UNANSWERED) for section, values in answered.items()}:
        raise LabError(
            f"Expected {name} to hold tables of keys, and every value on one line. Received: something else, such as nested tables"
        )
    return form


def stub_files(solutions: Path) -> dict[str, str]:
    """Make every file that a student starts from, but the hand-written README.md.

    Args:
        solutions: Folder of the reference.

    Returns:
        From file name to text.

    Raises:
        LabError: A file of the reference is missing or cannot be turned into a stub.
    """
    files = {"__init__.py": PACKAGE}
    for number, (section, file) in enumerate(zip(SECTIONS, MODULE_FILES, strict=True), start=1):
        header = HEADER.format(number=number, sections=len(SECTIONS), section=section, points=SECTION_POINTS)
        files[file] = header + stub_module(_read(solutions / file), file)
    files[FINDINGS_FILE] = stub_findings(_read(solutions / FINDINGS_FILE))
    return files


def write_stubs(solutions: Path, assignment: Path, *, check: bool = False, force: bool = False) -> list[Path]:
    """Write what a student starts from, and never over a student's work.

    All files are made and compared before the first is written: a refusal leaves the folder as it was.

    Args:
        solutions: Folder of the reference.
        assignment: Folder to write to; made if it is not there.
        check: Write nothing; only ask whether the folder holds exactly these stubs.
        force: Write over files that differ from their stub.

    Returns:
        The files written; those that already were right are left alone and not named.

    Raises:
        LabError: With check, a file differs from its stub or is missing. Else, a file that is there differs and force is not set.
    """
    files = stub_files(solutions)
    present = {name: _text_if_there(assignment / name) for name in files}
    missing = [name for name in files if present[name] is None]
    different = [name for name in files if present[name] is not None and present[name] != files[name]]
    if check and (missing or different):
        drift = [f"{name} (differs)" for name in different] + [f"{name} (missing)" for name in missing]
        raise LabError(f"Expected {assignment} to hold the stubs of {solutions}. Received: {', '.join(drift)}. Write the stubs again")
    if different and not force:
        raise LabError(
            f"Files in {assignment} differ from their stubs and may be somebody's work: {', '.join(different)}. "
            "Nothing was written; move them away, or force it to write over them"
        )
    wanted = [*missing, *different]
    if wanted:
        assignment.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        (assignment / name).write_text(files[name], encoding="utf-8", newline="\n")
    return [assignment / name for name in wanted]


def _regions(source: str, name: str) -> list[tuple[int, int]]:
    """Find the pairs of markers, as line numbers from 1. Only comments count: a marker inside a string is text."""
    regions: list[tuple[int, int]] = []
    opened: int | None = None
    for line, text in _comments(source):
        if text == START:
            if opened is not None:
                raise LabError(f'Expected "{END}" in {name} after the start in line {opened}. Received: another start in line {line}')
            opened = line
        elif text == END:
            if opened is None:
                raise LabError(f'Expected "{START}" in {name} before the end in line {line}. Received: an end without a start')
            regions.append((opened, line))
            opened = None
        elif text.startswith(("# >>>", "# <<<")):
            raise LabError(f'Expected "{START}" or "{END}" in {name}, line {line}. Received: {text!r}')
    if opened is not None:
        raise LabError(f'Expected "{END}" in {name} after the start in line {opened}. Received: the end of the file')
    return regions


def _comments(source: str) -> Iterator[tuple[int, str]]:
    """Give line number and text of every comment."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.rstrip()


def _owner(tree: ast.Module, start: int, end: int, name: str) -> ast.FunctionDef:
    """Find the function whose body lies between two markers, and see that all of it does."""
    where = f"{name}, lines {start} to {end}"
    inside = [node for node in tree.body if start < node.lineno < end]
    around = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.lineno < start <= (node.end_lineno or 0)]
    if inside or not around:
        raise LabError(f"Expected the markers in {where} to lie in the body of one function of the module. Received: markers elsewhere")
    function = around[0]
    if ast.get_docstring(function) is None:
        raise LabError(f"Expected a docstring in {function.name} ({where}), since it is all that the stub says. Received: none")
    docstring, *body = function.body
    if (docstring.end_lineno or 0) >= start or any(node.lineno <= start or (node.end_lineno or 0) >= end for node in body):
        raise LabError(f"Expected all of {function.name} but its docstring between the markers ({where}). Received: statements outside")
    return function


def _read(path: Path) -> str:
    text = _text_if_there(path)
    if text is None:
        raise LabError(f"Expected the reference to hold {path.name}. Received: no such file under {path.parent}")
    return text


def _text_if_there(path: Path) -> str | None:
    """Read a text file, or give None where there is none. Line ends are read as newlines: git may have changed them."""
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None
