"""What each check's result follows from on the grader's side, as a digest: so that a changed check, and no other, is run again.

A check's digest covers its own source, every function, class and constant of this package that it reaches by name, the checks that it
needs, and the base: all that runs whatever the check (worker, channel, host, plugin), data files, and the versions of the libraries.
Comments and layout do not count.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import platform
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import pytest

from grader.errors import LabError
from grader.grade import arguments, plain_pytest
from grader.store.results import digest_of

PACKAGE: Final = Path(__file__).parents[1]
BASE: Final = ("worker/**/*.py", "channel/*.py", "host/*.py", "checks/plugin.py", "checks/check.py", "outcomes.py", "artifacts.py")
BASE_MODULES: Final = ("grader.worker", "grader.channel", "grader.host", "grader.outcomes", "grader.artifacts", "grader.results")
"""Covered by the base; not followed name by name."""
LIBRARIES: Final = ("hypothesis", "keras", "numpy", "pillow", "protobuf", "safetensors")
NOT_DATA: Final = ("report", "store", "__pycache__")


def check_digests(keyword: str = "") -> dict[str, str]:
    """Digests of the checks that a keyword selects, in the rubric's order.

    Args:
        keyword: As for `grade`; all checks when empty.

    Returns:
        From name to digest.

    Raises:
        LabError: The keyword selects no check.
    """
    every = _collect("")
    selected = every if not keyword else _collect(keyword)
    if not selected:
        raise LabError(f"No check is selected by {keyword!r}; try a section such as `data`, or a check's name.")
    own = {name: digest_of([base_digest(), sorted(_reached(module, function))]) for name, (module, function, _) in every.items()}

    def whole(name: str) -> str:
        section = name.partition("/")[0]
        needed = [f"{section}/{need}" for need in every[name][2]]
        return digest_of([own[name], [whole(need) for need in needed if need in own]])

    return {name: whole(name) for name in selected}


class _Collector:
    def __init__(self) -> None:
        self.checks: dict[str, tuple[str, str, tuple[str, ...]]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        from grader.checks.plugin import _name, _spec

        for item in items:
            module = f"grader.rubric.{item.path.stem}"
            self.checks.setdefault(_name(item), (module, item.originalname, tuple(_spec(item).needs)))


def _collect(keyword: str) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    collector = _Collector()
    with plain_pytest():
        status = pytest.main(["--collect-only", *arguments(keyword)], plugins=[collector])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise LabError("The rubric cannot be read by pytest; `pytest grader --collect-only` shows why.")
    return collector.checks


@functools.cache
def base_digest() -> str:
    """Digest of what every check follows from."""
    parts: list[str] = [platform.python_version()]
    parts += [f"{library} {metadata.version(library)}" for library in LIBRARIES]
    for library in ("tensorflow-cpu", "tensorflow"):
        try:
            parts.append(f"tensorflow {metadata.version(library)}")
            break
        except metadata.PackageNotFoundError:
            continue
    for pattern in BASE:
        files = sorted(PACKAGE.glob(pattern))
        parts += [f"{file.relative_to(PACKAGE)} {ast.dump(ast.parse(file.read_text(encoding='utf-8')))}" for file in files]
    for file in sorted(PACKAGE.rglob("*")):
        inside = file.relative_to(PACKAGE)
        if file.is_file() and file.suffix not in (".py", ".pyc") and not set(inside.parts) & set(NOT_DATA):
            parts.append(f"{inside} {hashlib.sha256(file.read_bytes()).hexdigest()}")
    return digest_of(parts)


class _Module:
    """The top level of one module: what each name stands for."""

    def __init__(self, file: Path) -> None:
        self.definitions: dict[str, list[ast.stmt]] = {}
        self.imports: dict[str, tuple[str, str | None]] = {}
        self.always: list[ast.stmt] = []
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            self._add(node)

    def _add(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                self.definitions.setdefault(name, []).append(node)
            case ast.Import(names=names):
                for alias in names:
                    self.imports[alias.asname or alias.name.partition(".")[0]] = (alias.name, None)
            case ast.ImportFrom(module=module, names=names) if module:
                for alias in names:
                    self.imports[alias.asname or alias.name] = (module, alias.name)
            case ast.Assign() | ast.AnnAssign():
                self._assign(node)
            case ast.Expr(value=ast.Constant()):
                pass
            case _:
                self.always.append(node)

    def _assign(self, node: ast.stmt) -> None:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                self.definitions.setdefault(inner.id, []).append(node)


@functools.cache
def _module(name: str) -> _Module | None:
    place = PACKAGE.parent.joinpath(*name.split("."))
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        if file.is_file():
            return _Module(file)
    return None


def _reached(module: str, name: str) -> set[str]:
    """All that a definition reaches: texts of definitions, names of foreign imports."""
    seen: set[tuple[str, str]] = set()
    found: set[str] = set()
    waiting = [(module, name)]
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        texts, following = _step(*place)
        found.update(texts)
        waiting += following
    return found


@functools.cache
def _step(where: str, what: str) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """What one name stands for, as text, and the names that it reaches."""
    source = None if where.startswith(BASE_MODULES) or not where.startswith("grader") else _module(where)
    if source is None:
        return (f"{where}:{what}",), ()
    if what in source.imports:
        return (), (_target(*source.imports[what]),)
    nodes = _all(source) if what == "*" else [*source.definitions.get(what, ()), *source.always]
    return tuple(f"{where}:{ast.dump(node)}" for node in nodes), tuple(name for node in nodes for name in _names(where, source, node))


def _all(source: _Module) -> list[ast.stmt]:
    return [*(node for nodes in source.definitions.values() for node in nodes), *source.always]


def _target(module: str, name: str | None) -> tuple[str, str]:
    if name is None:
        return module, "*"
    inner = f"{module}.{name}"
    return (inner, "*") if inner.startswith("grader") and _module(inner) is not None else (module, name)


def _names(where: str, source: _Module, node: ast.stmt) -> list[tuple[str, str]]:
    names: list[tuple[str, str]] = []
    covered: set[int] = set()
    for inner in ast.walk(node):
        # `compare.array`: of a module of ours, only what is used.
        if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name) and inner.value.id in source.imports:
            module, whole = _target(*source.imports[inner.value.id])
            if whole == "*":
                names.append((module, inner.attr))
                covered.add(id(inner.value))
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and id(inner) not in covered and (inner.id in source.definitions or inner.id in source.imports):
            names.append((where, inner.id))
        if isinstance(inner, ast.arg) and inner.arg in source.definitions:
            names.append((where, inner.arg))  # a fixture of the same file
    return names
