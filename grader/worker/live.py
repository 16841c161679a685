"""Marks a value that stays in the worker although it could cross."""

from __future__ import annotations

from typing import Any


class Live:
    """A value that crosses as a reference: a list of a student's own records, say.

    Args:
        value: What stays.
    """

    def __init__(self, value: Any) -> None:
        self.value = value
