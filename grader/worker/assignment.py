"""Loads a submission's modules and calls its functions: the first lines of a worker that run a student's code."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from grader.channel.peer import Refusal
from grader.worker.settings import tolerate_late_settings

PACKAGE: Final = "assignment"
"""Name under which a submission is imported, whatever its folder is called."""


def student_module(name: str) -> Any:
    """Imports a module of the submission: the one way in, for calls and for tools.

    Args:
        name: `data`, `model` and so on.

    Returns:
        The module.

    Raises:
        BaseException: Whatever importing it raises.
    """
    tolerate_late_settings()
    return importlib.import_module(f"{PACKAGE}.{name}")


class Assignment:
    """A submission, as the package `assignment`.

    Args:
        folder: Where its modules are. Only files that the trusted side took lie there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        sys.dont_write_bytecode = True
        package = types.ModuleType(PACKAGE)
        package.__path__ = [str(folder)]
        sys.modules[PACKAGE] = package

    def call(self, module: str, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Calls a student's function.

        Args:
            module: `data`, `model` and so on.
            function: The function's name.
            args: Positional arguments.
            kwargs: Keyword arguments.

        Returns:
            What the function returns.

        Raises:
            Refusal: With `kind` one of `import`, `missing`, `signature`, `not_started`, `memory`, `raised`, `exit`.
        """
        target = self._find(module, function)
        try:
            inspect.signature(target).bind(*args, **kwargs)
        except TypeError as error:
            raise Refusal(
                kind="signature",
                message=f"{module}.{function} has the signature {function}{inspect.signature(target)}, and cannot be called: {error}",
                where=self._place_of(target, module, function),
            ) from None
        except ValueError:  # a callable without a signature: calling it will tell
            pass
        try:
            return target(*args, **kwargs)
        except Refusal:
            raise
        except BaseException as error:
            raise self.refusal(error, f"{PACKAGE}/{module}.py {function}") from error

    def _find(self, module: str, function: str) -> Callable[..., Any]:
        try:
            loaded = student_module(module)
        except BaseException as error:
            if isinstance(error, ModuleNotFoundError) and error.name == f"{PACKAGE}.{module}":
                raise Refusal(kind="missing", message=f"the file {module}.py is missing", where=f"{PACKAGE}/{module}.py") from None
            raise self.refusal(error, f"{PACKAGE}/{module}.py", kind="import") from error
        target = getattr(loaded, function, None)
        if not callable(target):
            own = [
                name
                for name, value in vars(loaded).items()
                if inspect.isfunction(value) and value.__module__ == loaded.__name__ and not name.startswith("_")
            ]
            raise Refusal(
                kind="missing",
                message=f"{module}.py has no function {function}; its functions are: {', '.join(own) or 'none'}",
                where=f"{PACKAGE}/{module}.py",
            )
        result: Callable[..., Any] = target
        return result

    def refusal(self, error: BaseException, place: str, *, kind: str = "raised") -> Refusal:
        """Describes an exception of a student's code as data.

        Args:
            error: The exception.
            place: Where it happened if its traceback has no line of the submission.
            kind: `import` or `raised`; exceptions with a meaning of their own (not started, out of memory, exit) get their own kind.

        Returns:
            The refusal to raise.
        """
        if isinstance(error, NotImplementedError) and self._is_stub(error):
            kind = "not_started"
        elif isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
            kind = "memory"
        elif isinstance(error, (SystemExit, KeyboardInterrupt, GeneratorExit)):
            kind = "exit"
        if isinstance(error, SyntaxError) and error.filename and Path(error.filename).parent == self._folder:
            where = f"{PACKAGE}/{Path(error.filename).name}:{error.lineno}"
            return Refusal(kind="import", type="SyntaxError", message=str(error.msg), where=where, source=(error.text or "").strip()[:200])
        where, source = self._in_text(error) or place, ""
        for frame in traceback.extract_tb(error.__traceback__):
            if Path(frame.filename).parent == self._folder:
                where = f"{PACKAGE}/{Path(frame.filename).name}:{frame.lineno} {frame.name}"
                source = frame.line or ""
        bases = ",".join(base.__name__ for base in type(error).__mro__[1:])[:400]
        return Refusal(kind=kind, type=type(error).__name__, message=_first_lines(error), where=where, source=source[:200], bases=bases)

    def _in_text(self, error: BaseException) -> str:
        # TensorFlow calls a function of the pipeline from threads of its own; its traceback is in the message.
        found = re.findall(rf'File "{re.escape(str(self._folder))}/(\w+\.py)", line (\d+), in (\S+)', _text(error))
        return f"{PACKAGE}/{found[-1][0]}:{found[-1][1]} {found[-1][2]}" if found else ""

    def _is_stub(self, error: NotImplementedError) -> bool:
        # TensorFlow raises NotImplementedError too ("Cannot convert a symbolic tf.Tensor to a numpy array"); that is an ordinary mistake.
        frames = traceback.extract_tb(error.__traceback__)
        own = bool(frames) and Path(frames[-1].filename).parent == self._folder
        return own or "raise NotImplementedError" in _text(error)  # AutoGraph raises anew, and shows the line in its message

    def _place_of(self, target: Callable[..., Any], module: str, function: str) -> str:
        code = getattr(inspect.unwrap(target), "__code__", None)
        return f"{PACKAGE}/{module}.py:{code.co_firstlineno} {function}" if code else f"{PACKAGE}/{module}.py {function}"


def _first_lines(error: BaseException) -> str:
    # TensorFlow's messages run over pages; the first lines say what happened.
    lines = [line for line in _text(error).splitlines() if line.strip()]
    return "\n".join(lines[:6])[:1200]


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as second:  # a student's own class may do anything here
        return f"(its message could not be read: {type(second).__name__})"
