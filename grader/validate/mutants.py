"""Mutants: the reference with one small change each, made over its syntax tree.

A tool that mutates files and runs a test command for each would start a fresh TensorFlow hundreds of times and mutate what students do not
write. These are plain texts of one module, to be graded like any submission; only what stands between the markers of a stub is changed.
"""

from __future__ import annotations

import ast
import copy
import functools
import itertools
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from grader.errors import LabError
from grader.lab import MODULE_FILES
from grader.stubs import marked_functions

EQUIVALENTS_FILE: Final = "equivalents.toml"
"""Beside the reference: mutants that do the same as the reference, or differ in what the lab does not ask for, each with the reason."""

_COMPARISONS: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}

_OPERATORS: Final[dict[type[ast.operator], tuple[type[ast.operator], ...]]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Div, ast.Mult),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.BitOr: (ast.BitAnd,),
}

_OTHER_NAMES: Final = {"max": "min", "min": "max", "any": "all", "all": "any", "argmax": "argmin", "partition": "rpartition"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """The reference with one change.

    Attributes:
        name: Section, function, what stood there and what stands there now; unique, and the same as long as that text is.
        section: The section of the changed module.
        function: The function that was changed.
        source: Text of the changed module.
    """

    name: str
    section: str
    function: str
    source: str


@functools.cache
def mutants(reference: Path) -> tuple[Mutant, ...]:
    """Makes every mutant of the reference.

    Args:
        reference: Its folder.

    Returns:
        The mutants in the order of the files, functions and statements.

    Raises:
        LabError: A module is missing or has no markers.
    """
    made: list[Mutant] = []
    for file in MODULE_FILES:
        try:
            source = (reference / file).read_text(encoding="utf-8")
        except OSError as error:
            raise LabError(f"The reference's {file} cannot be read from {reference} ({error.strerror}).") from error
        made += _of_module(source, file.removesuffix(".py"), file)
    return tuple(made)


def equivalents(reference: Path) -> dict[str, str]:
    """Reads which mutants are known to be no mistakes.

    Args:
        reference: The reference's folder, with `equivalents.toml`.

    Returns:
        From a mutant's name to the reason.

    Raises:
        LabError: The file cannot be read or holds something else.
    """
    file = reference / EQUIVALENTS_FILE
    if not file.is_file():
        return {}
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        return {name: reason["reason"] for reason in tables["equivalent"] for name in reason["mutants"]}
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise LabError(f"{file} should hold [[equivalent]] tables with a reason and mutants ({error}).") from error


def _of_module(source: str, section: str, file: str) -> list[Mutant]:
    seen: Counter[str] = Counter()
    texts: set[str] = set()
    made = []
    lines = source.splitlines()
    tree = ast.parse(source)
    for function in marked_functions(source, file):
        original = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
        before_it, after_it = lines[: original.lineno - 1], lines[original.end_lineno :]
        for place, _ in enumerate(_changes(original)):
            changed = copy.deepcopy(original)
            before, after = next(itertools.islice(_changes(changed), place, None))()
            text = ast.unparse(ast.fix_missing_locations(changed))
            if text in texts or not _compiles(text):
                continue
            texts.add(text)
            name = f"{section}.{function}: {_short(before)} -> {_short(after)}"
            seen[name] += 1
            whole = "\n".join([*before_it, text, *after_it]) + "\n"
            made.append(Mutant(name if seen[name] == 1 else f"{name} ({seen[name]})", section, function, whole))
    return made


Change = Callable[[], tuple[str, str]]
"""Makes one change in its tree, and tells what stood there and what stands there now."""


def _changes(function: ast.FunctionDef) -> Iterator[Change]:
    """All changes of a function's body, but of its docstring."""
    body = function.body[1:]
    for owner, field, place in _statements(function, body):
        yield from _of_statement(owner, field, place)
    for statement in body:
        for node in _walk(statement):
            yield from _of_node(node)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that decide what is computed: neither annotations nor what an error says."""
    yield node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns") or isinstance(node, ast.Raise):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _walk(child)


def _statements(function: ast.FunctionDef, body: list[ast.stmt]) -> Iterator[tuple[ast.AST, str, int]]:
    for statement in body:
        yield function, "body", function.body.index(statement)
        for node in ast.walk(statement):
            for field in ("body", "orelse"):
                for place, child in enumerate(getattr(node, field, None) or [] if isinstance(node, ast.stmt) else []):
                    if isinstance(child, ast.stmt):
                        yield node, field, place


def _of_statement(owner: ast.AST, field: str, place: int) -> Iterator[Change]:
    statement = getattr(owner, field)[place]
    if isinstance(statement, (ast.FunctionDef, ast.Pass)):
        return  # without it, its name is missing: no mistake that a person makes

    def put(new: ast.stmt) -> Change:
        def change() -> tuple[str, str]:
            before = ast.unparse(statement)
            getattr(owner, field)[place] = new
            return before, ast.unparse(new)

        return change

    yield put(ast.Return(ast.Constant(None)) if isinstance(statement, ast.Return) else ast.Pass())
    if isinstance(statement, ast.Continue):
        yield put(ast.Break())
    if isinstance(statement, ast.If):
        yield put(ast.If(ast.Constant(True), statement.body, statement.orelse))
    if isinstance(statement, ast.AugAssign):
        yield put(ast.Assign([statement.target], statement.value, lineno=0))


def _of_node(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=[operation]):
            yield from (_set(node, "ops", [new()]) for new in _COMPARISONS[type(operation)])
        case ast.BinOp(op=operator):
            yield from (_set(node, "op", new()) for new in _OPERATORS.get(type(operator), ()))
        case ast.BoolOp(op=operator):
            yield _set(node, "op", ast.Or() if isinstance(operator, ast.And) else ast.And())
            yield from (_set(node, "values", [value]) for value in node.values)
        case ast.UnaryOp(op=ast.USub()):
            yield _set(node, "op", ast.UAdd())
        case ast.UnaryOp(op=ast.Not()):
            yield _set(node, "operand", ast.UnaryOp(ast.Not(), node.operand))
        case ast.IfExp():
            yield from (_set(node, "test", ast.Constant(value)) for value in (True, False))
        case ast.Constant():
            yield from (_set(node, "value", value) for value in _other_values(node.value))
        case ast.Slice():
            yield from (_set(node, end, None) for end in ("lower", "upper") if getattr(node, end) is not None)
        case ast.Subscript(slice=ast.Slice()):
            yield _set(node, "slice", ast.Slice())
        case ast.comprehension(ifs=[_, *_]):
            yield _without(node, "ifs", 0)
        case ast.Attribute() | ast.Name() if (name := getattr(node, "attr", getattr(node, "id", ""))) in _OTHER_NAMES:
            yield _set(node, "attr" if isinstance(node, ast.Attribute) else "id", _OTHER_NAMES[name])
        case ast.Call():
            yield from _of_call(node)
        case ast.Tuple(elts=[first, second], ctx=ast.Load()):
            yield _set(node, "elts", [second, first])


def _of_call(node: ast.Call) -> Iterator[Change]:
    for place, _ in enumerate(node.keywords):
        yield _without(node, "keywords", place)
    for place, _ in enumerate(node.args[1:], start=1):
        yield _without(node, "args", place)
    either_way = isinstance(node.func, ast.Name) and node.func.id in ("max", "min")
    if len(node.args) > 1 and not isinstance(node.args[0], ast.Starred) and not either_way:
        yield _set(node, "args", [node.args[1], node.args[0], *node.args[2:]])
    # f(x) becomes x, and x.f() becomes x.
    inner = node.args[0] if node.args else node.func.value if isinstance(node.func, ast.Attribute) else None
    if inner is not None and not isinstance(inner, (ast.Starred, ast.GeneratorExp)):
        yield _become(node, inner)
    if node.args and isinstance(node.func, ast.Attribute) and not isinstance(node.func.value, ast.Name):
        yield _become(node, node.func.value)


def _other_values(value: object) -> list[object]:
    match value:
        case bool():
            return [not value]
        case int():
            return [value + 1, value - 1]
        case float():
            return [value * 2, value + 1] if value else [1.0]
        case str():
            return [value + "x"]
    return []


def _set(node: ast.AST, field: str, new: object) -> Change:
    def change() -> tuple[str, str]:
        before = _text(node)
        setattr(node, field, new)
        return before, _text(node)

    return change


def _without(node: ast.AST, field: str, place: int) -> Change:
    return _set(node, field, [item for number, item in enumerate(getattr(node, field)) if number != place])


def _become(node: ast.Call, inner: ast.expr) -> Change:
    def change() -> tuple[str, str]:
        before = ast.unparse(node)
        after = ast.unparse(inner)
        # In its place: x, written as a call of nothing would be, is x in brackets.
        node.__class__ = inner.__class__  # type: ignore[assignment]
        node.__dict__.clear()
        node.__dict__.update(inner.__dict__)
        return before, after

    return change


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.comprehension):
        return ast.unparse(ast.ListComp(ast.Name("..."), [node]))
    return ast.unparse(node)


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 100 else f"{words[:60]} ... {words[-35:]}"


def _compiles(text: str) -> bool:
    try:
        compile(text, "mutant", "exec")
    except (SyntaxError, ValueError):
        return False
    return True
