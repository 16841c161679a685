"""A predict function whose work is done on the trusted side, and whose result is lazy: it must be waited for."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from typing import Any, Final

import numpy as np


class LazyResult:
    """A result that is computed when it is looked at: by `np.asarray`, `.numpy()`, its length, an element, or anything an array has.

    Args:
        number: Which call it belongs to.
        wait: Tells the trusted side that this result is being waited for, and gets its value.
    """

    def __init__(self, number: int, wait: Callable[[int], Any]) -> None:
        self._number = number
        self._wait = wait
        self._value: np.ndarray | None = None

    def numpy(self) -> np.ndarray:
        """Waits for the value."""
        if self._value is None:
            self._value = np.asarray(self._wait(self._number))
        return self._value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.numpy(), dtype=dtype)

    def __len__(self) -> int:
        return len(self.numpy())

    def __getitem__(self, index: Any) -> Any:
        return self.numpy()[index]

    def __float__(self) -> float:
        return float(self.numpy().ravel()[0])

    def __iter__(self) -> Any:
        return iter(self.numpy())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.numpy(), name)


def lazy_predict(predict: Callable[[np.ndarray], int], wait: Callable[[int], Any]) -> Callable[[Any], LazyResult]:
    """Makes the predict function that a student's timing loop is given.

    Args:
        predict: On the trusted side: takes the batch, notes the call, gives its number.
        wait: On the trusted side: takes the number, notes that the result was waited for, gives the value.

    Returns:
        `predict(images)`, which gives a `LazyResult`.
    """
    return lambda images: LazyResult(predict(np.asarray(images)), wait)


def default_clock(module: str, function: str) -> str:
    """Names the clock that a function reads when it is given none.

    Args:
        module: The submission's module.
        function: The function, with a parameter `clock`.

    Returns:
        `time.perf_counter` and the like for a function of a library, else an empty text.
    """
    loaded = sys.modules.get(f"assignment.{module}") or importlib.import_module(f"assignment.{module}")
    parameter = inspect.signature(getattr(loaded, function)).parameters.get("clock")
    if parameter is None or parameter.default is inspect.Parameter.empty or not inspect.isbuiltin(parameter.default):
        return ""
    clock = parameter.default
    owner = clock.__self__ if inspect.isclass(clock.__self__) else None
    return f"{owner.__module__}.{owner.__name__}.{clock.__name__}" if owner else f"{clock.__module__}.{clock.__name__}"


PROVIDED: Final = (lazy_predict, default_clock)
