"""Reads what a student's pipeline gives."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from grader.channel.peer import Refusal
from grader.worker.assignment import student_module
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


def unordered_steps(dataset: Any) -> list[str]:
    """The steps of a `tf.data.Dataset` that may give its elements in another order each time.

    Args:
        dataset: A data set.

    Returns:
        Operations that carry `deterministic=False`, and `options` when the data set's options say so. Empty for one whose steps cannot be
        written down.
    """
    found = ["options"] if dataset.options().deterministic is False else []
    return found + sorted({node.op for node in _steps(dataset) if node.attr["deterministic"].s == b"false"})


def shuffle_buffers(dataset: Any) -> list[int]:
    """Places of the shuffle buffers of a `tf.data.Dataset`.

    Args:
        dataset: A data set.

    Returns:
        One number for each shuffle whose size is a constant; empty for a data set whose steps cannot be written down.
    """
    import tensorflow as tf

    nodes = {node.name: node for node in _steps(dataset)}
    found = []
    for node in nodes.values():
        size = nodes.get(node.input[1].partition(":")[0]) if node.op.startswith("Shuffle") and len(node.input) > 1 else None
        if size is not None and size.op == "Const":
            found.append(int(tf.make_ndarray(size.attr["value"].tensor)))
    return found


def _steps(dataset: Any) -> list[Any]:
    import tensorflow as tf

    try:
        variant = tf.data.experimental.to_variant(dataset)
        written = tf.raw_ops.DatasetToGraphV2(input_dataset=variant, external_state_policy=1).numpy()
    except tf.errors.OpError:
        return []
    return list(tf.compat.v1.GraphDef.FromString(written).node)


def of_length(values: list[Any], count: int) -> Live:
    """The beginning of a kept list, or that list over and over.

    Args:
        values: A reference to it.
        count: How many.

    Returns:
        A reference to a list of as many.
    """
    return Live(list(itertools.islice(itertools.cycle(values), count)))


def mapped(module: str, function: str, value: bytes) -> np.ndarray:
    """What a student's function gives when a data set calls it.

    Args:
        module: The submission's module.
        function: The function, of one tensor.
        value: The only element of the data set.

    Returns:
        The element that comes out.
    """
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensors(tf.constant(value)).map(getattr(student_module(module), function))
    return np.asarray(next(iter(dataset)))


def records(module: str, name: str, rows: list[dict[str, Any]]) -> Live:
    """A list of a submission's own records, made from plain rows.

    Args:
        module: The submission's module that defines the record.
        name: The record's class.
        rows: Field values by name.

    Returns:
        A reference to the list.
    """
    record = getattr(student_module(module), name, None)
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


PROVIDED: Final = (batches, labels, element_spec, unordered_steps, shuffle_buffers, of_length, mapped, records, path, keep, take)
