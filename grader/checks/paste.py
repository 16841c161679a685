"""A failing call as code that can be pasted into Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from grader.host.submission import Handle

LONGEST: Final = 900


def as_code(module: str, function: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Writes a call of a student's function as Python.

    Args:
        module: The submission's module.
        function: The function.
        args: Its positional arguments.
        kwargs: Its keyword arguments.

    Returns:
        An import and a call; empty where an argument cannot be written down in a few lines (a model, a clock, a folder that is gone).
    """
    try:
        written = [_literal(value) for value in args] + [f"{name}={_literal(value)}" for name, value in kwargs.items()]
    except _NoLiteral:
        return ""
    call = f"{function}({', '.join(written)})"
    names = sorted({function, *(value.record for value in (*args, *kwargs.values()) if isinstance(value, Handle) and value.record)})
    imports = ["import numpy as np"] if "np." in call else []
    code = "\n".join([*imports, f"from assignment.{module} import {', '.join(names)}", call])
    return code if len(code) <= LONGEST else ""


class _NoLiteral(Exception):
    pass


def _literal(value: Any) -> str:
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    if isinstance(value, np.generic):
        return repr(value.item())
    if isinstance(value, np.ndarray) and value.size <= 60:
        return f"np.array({value.tolist()!r}, dtype=np.{value.dtype.name})"
    if isinstance(value, list):
        return f"[{', '.join(_literal(item) for item in value)}]"
    if isinstance(value, tuple):
        return f"({', '.join(_literal(item) for item in value)}{',' if len(value) == 1 else ''})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Handle) and value.record:
        return "[" + ", ".join(_record(value.record, row) for row in value.rows) + "]"
    raise _NoLiteral


def _record(name: str, row: Mapping[str, Any]) -> str:
    return f"{name}({', '.join(_literal(item) for item in row.values())})"
