"""The bank of known submissions: wheats (right, written differently) and chaffs (wrong, one mistake each).

An entry is a folder with modules that hold only what differs from the reference. A function or class of an entry replaces the
reference's of the same name, anything else (imports, helpers) is added; a file `findings.toml` or a folder `results/` replaces the
reference's. `entry.toml` says what the entry is:

    summary = "Top-k counted over the whole batch"
    mistake = 1                      # number in the lab's list of mistakes, for a chaff that has one
    check = "model/top_k"            # the check that must lose points (chaffs)
    words = ["row"]                  # words that its feedback must contain (chaffs)
    edits = [["results/timings.json", "pattern", "replacement"]]   # optional: regular expressions on files of the reference
"""

from __future__ import annotations

import ast
import re
import shutil
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.errors import LabError
from grader.lab import FINDINGS_FILE, MODULE_FILES, RESULTS_FOLDER

ENTRY_FILE = "entry.toml"


@dataclass(frozen=True, slots=True)
class Entry:
    """One known submission.

    Attributes:
        folder: Where it lies.
        summary: What it is, one line.
        mistake: Number in the lab's list of mistakes, or None.
        check: Name of the check that must lose points; empty for a wheat.
        words: Words that the feedback of that check must contain.
        edits: File, regular expression, replacement: changes to files of the reference that are not modules.
    """

    folder: Path
    summary: str
    mistake: int | None = None
    check: str = ""
    words: tuple[str, ...] = ()
    edits: tuple[tuple[str, str, str], ...] = ()

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name


def entries(folder: Path) -> list[Entry]:
    """Reads the entries of a bank.

    Args:
        folder: `solutions/wheats` or `solutions/chaffs`.

    Returns:
        The entries by name.

    Raises:
        LabError: An entry's file is missing or not as the module's docstring says.
    """
    return [_entry(place) for place in sorted(folder.iterdir()) if place.is_dir() and place.name != "__pycache__"]


def assemble(entry: Entry, reference: Path, target: Path) -> Path:
    """Writes an entry as a whole submission.

    Args:
        entry: The entry.
        reference: The reference's folder.
        target: A folder that does not exist yet.

    Returns:
        `target`.

    Raises:
        LabError: An edit matches nothing.
    """
    return assemble_all([entry], reference, target)


def assemble_all(chosen: Sequence[Entry], reference: Path, target: Path) -> Path:
    """Writes a submission with the changes of several entries, one after the other.

    Args:
        chosen: The entries; where two replace the same function, the last one counts.
        reference: The reference's folder.
        target: A folder that does not exist yet.

    Returns:
        `target`.

    Raises:
        LabError: An edit matches nothing.
    """
    write_reference(reference, target)
    if (reference / RESULTS_FOLDER).is_dir():
        shutil.copytree(reference / RESULTS_FOLDER, target / RESULTS_FOLDER, ignore=shutil.ignore_patterns(".*"))
    for entry in chosen:
        _apply(entry, target)
    return target


def touched(entry: Entry) -> set[str]:
    """What of the reference an entry changes.

    Args:
        entry: The entry.

    Returns:
        `timing.py:time_online` for a function or class, and names of files that are changed as a whole.
    """
    found = {edit[0] for edit in entry.edits}
    for name in MODULE_FILES:
        if (entry.folder / name).is_file():
            found |= {f"{name}:{_name(node)}" for node in _definitions((entry.folder / name).read_text(encoding="utf-8"))}
    if (entry.folder / FINDINGS_FILE).is_file():
        found.add(FINDINGS_FILE)
    results = entry.folder / RESULTS_FOLDER
    return found | {str(file.relative_to(entry.folder)) for file in results.rglob("*") if file.is_file()}


def write_reference(reference: Path, target: Path) -> Path:
    """Writes the modules and findings of the reference; results that are there already stay.

    Args:
        reference: The reference's folder.
        target: Where to; it is made.

    Returns:
        `target`.
    """
    target.mkdir(parents=True, exist_ok=True)
    for name in (*MODULE_FILES, FINDINGS_FILE):
        shutil.copyfile(reference / name, target / name)
    return target


def _apply(entry: Entry, target: Path) -> None:
    for name in MODULE_FILES:
        if (entry.folder / name).is_file():
            text = overlay((target / name).read_text(encoding="utf-8"), (entry.folder / name).read_text(encoding="utf-8"))
            (target / name).write_text(text, encoding="utf-8")
    if (entry.folder / FINDINGS_FILE).is_file():
        shutil.copyfile(entry.folder / FINDINGS_FILE, target / FINDINGS_FILE)
    if (entry.folder / RESULTS_FOLDER).is_dir():
        shutil.copytree(entry.folder / RESULTS_FOLDER, target / RESULTS_FOLDER, dirs_exist_ok=True)
    for name, pattern, replacement in entry.edits:
        text, count = re.subn(pattern, replacement, (target / name).read_text(encoding="utf-8"))
        if not count:
            raise LabError(f"The entry {entry.name} edits {name}, but {pattern!r} is not found there.")
        (target / name).write_text(text, encoding="utf-8")


def overlay(reference: str, changes: str) -> str:
    """Puts functions and classes of one module in the place of another's.

    Args:
        reference: Source of the whole module.
        changes: Source of what differs: imports, helpers, and functions or classes that replace those of the same name.

    Returns:
        Source of the changed module: imports and helpers of `changes` come first, after the reference's own imports.
    """
    lines = reference.splitlines()
    new = {_name(node): _source(changes, node) for node in _definitions(changes)}
    tree = ast.parse(reference)
    for node in sorted(_definitions(reference), key=lambda node: node.lineno, reverse=True):
        if _name(node) in new:
            lines[_first_line(node) - 1 : node.end_lineno] = new.pop(_name(node)).splitlines()
    others = [
        _source(changes, node)
        for node in ast.parse(changes).body
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) and (_name(node) in new or not _name(node))
    ]
    imports = [node.end_lineno or 0 for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    place = max(imports, default=0)
    return "\n".join([*lines[:place], *others, *lines[place:]]) + "\n"


def _definitions(source: str) -> list[ast.stmt]:
    return [node for node in ast.parse(source).body if _name(node)]


def _name(node: ast.stmt) -> str:
    return node.name if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) else ""


def _first_line(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    first: int = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    return first


def _source(text: str, node: ast.stmt) -> str:
    return "\n".join(text.splitlines()[_first_line(node) - 1 : node.end_lineno])


def _entry(folder: Path) -> Entry:
    try:
        fields = tomllib.loads((folder / ENTRY_FILE).read_text(encoding="utf-8"))
        fields["words"] = tuple(fields.get("words", ()))
        fields["edits"] = tuple(tuple(edit) for edit in fields.get("edits", ()))
        return Entry(folder=folder, **fields)
    except (OSError, tomllib.TOMLDecodeError, TypeError) as error:
        raise LabError(f"{folder / ENTRY_FILE} should say what the entry is (see grader/bank.py): {error}.") from error
