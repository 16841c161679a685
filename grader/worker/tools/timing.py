"""A predict function whose work is done on the trusted side, and whose result is lazy: it must be waited for."""

from __future__ import annotations

import functools
import inspect
import math
import time
import types
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from grader.worker.assignment import student_module
from grader.worker.live import Live


class _Row(np.ndarray):
    """A part of a result, with what a tensor has."""

    def numpy(self) -> np.ndarray:
        """The values."""
        return np.asarray(self)


class LazyResult:
    """A result that is computed when it is looked at: by `np.asarray`, `.numpy()`, an element, or what an array makes of its elements.

    Its shape and type are known before, as a tensor's are, so who asks for them has waited for nothing.

    Args:
        number: Which call it belongs to.
        wait: Tells the trusted side that this result is being waited for, and gets its value.
        shape: Of the value.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, number: int, wait: Callable[[int], Any], shape: tuple[int, ...]) -> None:
        self._number = number
        self._wait = wait
        self.shape = shape
        self.ndim = len(shape)
        self.size = math.prod(shape)
        self._value: np.ndarray | None = None

    def numpy(self) -> np.ndarray:
        """Waits for the value."""
        if self._value is None:
            self._value = np.asarray(self._wait(self._number))
        return self._value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.numpy(), dtype=dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Any:
        # A row of a tensor is a tensor, and has `.numpy()`, too.
        return np.asarray(self.numpy()[index]).view(_Row)

    def __float__(self) -> float:
        return float(self.numpy().ravel()[0])

    def __iter__(self) -> Any:
        return iter(self.numpy().view(_Row))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.numpy(), name)


def lazy_predict(predict: Callable[[np.ndarray], int], wait: Callable[[int], Any], classes: int) -> Callable[[Any], LazyResult]:
    """Makes the predict function that a student's timing loop is given.

    Args:
        predict: On the trusted side: takes the batch, notes the call, gives its number.
        wait: On the trusted side: takes the number, notes that the result was waited for, gives the value.
        classes: Numbers in the result for each image.

    Returns:
        `predict(images)`, which gives a `LazyResult`.
    """
    return lambda images: LazyResult(predict(np.asarray(images)), wait, (len(images), classes))


def default_clock(module: str, function: str) -> str:
    """Names the clock that a function reads when it is given none.

    Args:
        module: The submission's module.
        function: The function, with a parameter `clock`.

    Returns:
        `time.perf_counter` and the like for a function of a library, else an empty text.
    """
    parameter = inspect.signature(getattr(student_module(module), function)).parameters.get("clock")
    if parameter is None or parameter.default is inspect.Parameter.empty or not inspect.isbuiltin(parameter.default):
        return ""
    clock = parameter.default
    owner = clock.__self__ if inspect.isclass(clock.__self__) else None
    return f"{owner.__module__}.{owner.__name__}.{clock.__name__}" if owner else f"{clock.__module__}.{clock.__name__}"


def stands_still_with_the_day(module: str, function: str, arguments: list[Any]) -> bool:
    """Whether a function that is given no clock measures nothing when the time of day stands still.

    Args:
        module: The submission's module.
        function: The function, which takes `predict`, images, and
        arguments: what comes after these.

    Returns:
        Whether its `total_s` is not above 0, or it divides by such a time; not where it goes wrong in another way. True as well where the
        function that it takes for its clock names what gives the date, and no clock that only goes forwards.
    """
    import tensorflow as tf

    student = student_module(module)
    parameter = inspect.signature(getattr(student, function)).parameters.get("clock")
    if parameter is not None and _names_the_date(parameter.default):
        return True
    now, now_ns = time.time(), time.time_ns()
    stopped = {time.time: lambda: now, time.time_ns: lambda: now_ns}
    places = [(place, name, value) for place in (time, student) for name, value in vars(place).items() if _is_one_of(value, stopped)]

    def predict(batch: Any) -> Any:
        time.sleep(0.001)
        return tf.zeros((len(batch), 4))

    for place, name, value in places:
        setattr(place, name, stopped[value])
    try:
        timing = getattr(student, function)(predict, np.zeros((4, 2, 2, 3), np.float32), *arguments)
        return not float(timing["total_s"] if isinstance(timing, dict) else timing.total_s) > 0
    except ZeroDivisionError:
        return True
    except Exception:
        return False
    finally:
        for place, name, value in places:
            setattr(place, name, value)


_DATE: Final = {"now", "utcnow", "today", "datetime64", "timestamp", "CLOCK_REALTIME", "time_ns", "ctime", "localtime"}
_FORWARDS: Final = {"perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "CLOCK_MONOTONIC", "CLOCK_MONOTONIC_RAW"}


def _names_the_date(clock: Any) -> bool:
    """Whether a clock's code names a function that gives the date, and none that only goes forwards."""
    while isinstance(clock, functools.partial):
        clock = clock.func
    names: set[str] = set()
    # A function, a method, or an object that can be called.
    waiting = [getattr(getattr(one, "__func__", one), "__code__", None) for one in (clock, vars(type(clock)).get("__call__"))]
    while waiting:
        one = waiting.pop()
        if isinstance(one, types.CodeType):
            names |= {*one.co_names, *one.co_freevars}
            waiting += one.co_consts
    return bool(names & _DATE) and not names & _FORWARDS


def _is_one_of(value: Any, functions: dict[Any, Any]) -> bool:
    return any(value is function for function in functions)


def real_work(count: int) -> dict[str, Any]:
    """Work for timing loops that really run: a product of matrices for each image, compiled.

    A call costs about a tenth of a millisecond and an image about half of one, so that both show.

    Args:
        count: How many images.

    Returns:
        References to `predict`, which takes a batch and gives (batch, 10) probabilities, to `images`, (count, 8, 8, 3) float32, and to
        `loop`: `loop(batch_size)` runs the grader's own loop over all images, to be timed by who calls it.
    """
    import tensorflow as tf

    random = np.random.default_rng(0)
    images = random.random((count, 8, 8, 3), dtype=np.float32)
    matrix = tf.constant(random.random((192, 192), dtype=np.float32) / 96)

    def work(batch: Any) -> Any:
        rows = tf.repeat(tf.reshape(batch, (-1, 192)), 16, axis=0)
        for _ in range(6):
            rows = tf.matmul(rows, matrix)
        return tf.nn.softmax(tf.reshape(rows, (-1, 16, 192))[:, 0, :10])

    predict = tf.function(work, reduce_retracing=True)

    def loop(batch_size: int) -> None:
        for first in range(0, count, batch_size):
            np.asarray(predict(images[first : first + batch_size]))

    return {"predict": Live(predict), "images": Live(images), "loop": Live(loop)}


def call_ours(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function of ours that lives in the worker.

    Args:
        function: A reference to it.
        arguments: Its arguments.

    Returns:
        What it gives.
    """
    return function(*arguments)


PROVIDED: Final = (lazy_predict, default_clock, stands_still_with_the_day, real_work, call_ours)
"""The tools by name."""
