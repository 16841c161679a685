"""Reads what a student's pipeline gives."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from grader.channel.peer import Refusal
from grader.worker.live import Live


def batches(dataset: Iterable[Any], limit: int) -> list[tuple[Any, ...]]:
    """One pass over a data set.

    Args:
        dataset: Anything that iterates over (images, labels).
        limit: How many batches to read at most.

    Returns:
        The batches, each a tuple of arrays.
    """
    return [tuple(np.asarray(part) for part in batch) for batch in itertools.islice(iter(dataset), limit)]


def labels(dataset: Iterable[Any], limit: int) -> list[np.ndarray]:
    """One pass over a data set, of which only the labels cross.

    Args:
        dataset: Anything that iterates over (images, labels).
        limit: How many batches to read at most.

    Returns:
        The labels of each batch.
    """
    return [np.asarray(batch[1]) for batch in itertools.islice(iter(dataset), limit)]


def element_spec(dataset: Any) -> list[tuple[list[int | None], str]]:
    """Shapes and dtypes that a `tf.data.Dataset` announces.

    Args:
        dataset: A data set of tuples of tensors.

    Returns:
        For each part its shape (None where it is not known) and dtype.
    """
    import tensorflow as tf

    return [(list(part.shape), part.dtype.name) for part in tf.nest.flatten(dataset.element_spec)]


def records(module: str, name: str, rows: list[dict[str, Any]]) -> Live:
    """A list of a submission's own records, made from plain rows.

    Args:
        module: The submission's module that defines the record.
        name: The record's class.
        rows: Field values by name.

    Returns:
        A reference to the list.
    """
    import importlib

    loaded = sys.modules.get(f"assignment.{module}") or importlib.import_module(f"assignment.{module}")
    record = getattr(loaded, name, None)
    if record is None:
        raise Refusal(
            kind="missing",
            message=f"{module}.py has no class {name}; keep what stands above the functions",
            where=f"assignment/{module}.py",
        )
    return Live([record(**row) for row in rows])


def path(place: str) -> Live:
    """A path as a student's function takes it: paths cross the channel as text.

    Args:
        place: The path.

    Returns:
        A reference to a `pathlib.Path`.
    """
    return Live(Path(place))


def keep(value: Any) -> Live:
    """Keeps an array or a list in the worker, so that it need not cross again with every call.

    Args:
        value: Anything.

    Returns:
        A reference to it.
    """
    return Live(value)


def take(value: Any) -> Any:
    """The opposite of `keep`: a kept value crosses as data.

    Args:
        value: What a reference stands for.

    Returns:
        The value.
    """
    return value


PROVIDED: Final = (batches, labels, element_spec, records, path, keep, take)
