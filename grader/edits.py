"""Which checks an edit of a submission concerns: those that call a function whose text, or what it refers to, is another.

For `lab watch`, where a student waits for a verdict. Names are followed as they are written, so code that looks names up at run time may be
missed; `lab grade` runs every check.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from grader.lab import FINDINGS_FILE, MODULE_FILES, RESULTS_FOLDER

REST: Final = ""
"""Stands for a module's text outside of its functions and classes."""


class Sources:
    """The modules of a submission at one moment.

    Args:
        folder: The submission's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._texts: dict[tuple[str, str], str] = {}
        self._names: dict[tuple[str, str], set[str]] = {}
        self._besides = hashlib.sha256()
        self._readable = True
        for file in MODULE_FILES:
            self._read(folder / file)
        for path in (folder / FINDINGS_FILE, *sorted((folder / RESULTS_FOLDER).glob("*.*"))):
            if path.is_file():
                state = path.stat()
                self._besides.update(f"{path.name} {state.st_size} {state.st_mtime_ns}".encode())

    def fingerprint(self, functions: Iterable[str]) -> str:
        """What the outcome of a check can depend on.

        Args:
            functions: The functions that it called, as `timing.time_online`.

        Returns:
            A digest of their text and of all that they refer to in the submission, of every module's text outside of functions, and of what
            was measured; of everything where a module cannot be parsed.
        """
        digest = hashlib.sha256(self._besides.digest())
        wanted = {(module, name) for module, _, name in (function.partition(".") for function in functions)}
        reached = {key for key in self._texts if key[1] == REST or not self._readable}
        waiting = list(wanted | {key for key in self._texts for name in self._of_rest() if key[1] == name})
        while waiting:
            key = waiting.pop()
            if key in reached or key not in self._texts:
                continue
            reached.add(key)
            waiting += [other for other in self._texts if other[1] in self._names[key]]
        for key in sorted(reached):
            digest.update(repr((key, self._texts[key])).encode())
        return digest.hexdigest()

    def _of_rest(self) -> set[str]:
        return {name for key, names in self._names.items() if key[1] == REST for name in names}

    def _read(self, file: Path) -> None:
        try:
            source = file.read_text(encoding="utf-8")
            tree = ast.parse(source)
        except (OSError, SyntaxError, ValueError) as error:
            self._readable = False
            self._besides.update(f"{file.name} {error}".encode())
            return
        rest = []
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                self._add((file.stem, node.name), node)
            else:
                rest.append(node)
        self._add((file.stem, REST), ast.Module(rest, []))

    def _add(self, key: tuple[str, str], node: ast.AST) -> None:
        # As Python reads it: comments and blank lines are no change.
        self._texts[key] = self._texts.get(key, "") + ast.dump(node)
        names = {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}
        self._names.setdefault(key, set()).update(names | {child.attr for child in ast.walk(node) if isinstance(child, ast.Attribute)})
