"""The rubric's own checks, asked of a submission in the same process: what tools that have no trust boundary do.

Used by other_tools.py: as a test file of pytest, from the cells of a notebook of nbgrader, and from the test files of otter.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import pytest

CHECKS = ("data/class_counts", "data/wilson", "model/conv_output_size", "model/top_k", "training/epochs_needed")
"""Checks that need nothing but the student's functions; the student's modules import TensorFlow."""

MODULES = ("data", "model", "training")


class Direct:
    """Looks like the grader's submission to the checks, and calls the functions where it stands."""

    def __init__(self, modules: Mapping[str, ModuleType]) -> None:
        for name, module in modules.items():
            setattr(self, name, module)

    def records(self, module: str, name: str, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """A list of the student's own records."""
        kind = getattr(getattr(self, module), name)
        return [kind(**row) for row in rows]


def ask(check: str, modules: Mapping[str, ModuleType]) -> None:
    """Runs one check of the rubric.

    Args:
        check: Its name, section and all.
        modules: The student's modules by name.

    Raises:
        CheckFailed: It fails.
    """
    from grader.checks.suspects import Suspects

    section, _, name = check.partition("/")
    function = getattr(importlib.import_module(f"grader.rubric.test_{section}"), f"test_{name}")
    known = {"submission": Direct({name: modules[name] for name in MODULES}), "suspects": Suspects()}
    wanted = function.hypothesis.inner_test.__code__.co_varnames[: function.hypothesis.inner_test.__code__.co_argcount]
    function(**{name: value for name, value in known.items() if name in wanted})


def modules_of(folder: str) -> dict[str, ModuleType]:
    """Imports a submission into this process."""
    sys.path.insert(0, folder)
    return {name: importlib.import_module(name) for name in MODULES}


@pytest.mark.parametrize("check", CHECKS)
def test_check(check: str) -> None:
    """One check, on the submission in the folder that SUBMISSION names."""
    ask(check, modules_of(os.environ["SUBMISSION"]))
