"""What the worker's tools answer: a submission shares their process, and can answer in their place.

A check relies on the kinds of these answers, and would itself go wrong with others: the fault would count as the grader's, and a submission
that fails could not be graded at all. So each answer is looked at where it arrives.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict


def _live(value: Any) -> Any:
    if not hasattr(value, "lab_reference"):
        raise ValueError("not a live object")
    return value


Live = Annotated[Any, AfterValidator(_live)]
"""A live object in the worker."""

Array = np.ndarray


class _Kit(TypedDict):
    model: Live
    train_data: Live
    val_data: Live


Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e9)]
"""A number that can be rounded to a whole one."""


class _State(TypedDict):
    epochs_run: Finite
    epoch_of_weights: Finite
    epoch_of_averages: Finite
    own_optimizer: bool
    learning_rate: Finite
    own_steps: int


class _Sweep(TypedDict):
    make_model: Live
    make_data: Live
    train: Live
    evaluate: Live


class _Work(TypedDict):
    predict: Live
    images: Live
    loop: Live


_STRICT: Final = ConfigDict(arbitrary_types_allowed=True, strict=True)
_KINDS: Final[dict[str, Any]] = {
    "batches": list[tuple[Array, ...]],
    "labels": list[Array],
    "element_spec": list[tuple[list[int | None], str]],
    "unordered_steps": list[str],
    "shuffle_buffers": list[int],
    "of_length": Live,
    "mapped": Array,
    "records": Live,
    "path": Live,
    "keep": Live,
    "make_network": Live,
    "make_functional": Live,
    "set_layer_weights": None,
    "set_weights": None,
    "build": None,
    "weights": Annotated[list[Array], Field(min_length=1)],
    "weight_shapes": dict[str, list[list[int]]],
    "layer_weights": dict[str, list[Array]],
    "input_shape": list[int | None],
    "outputs": Array,
    "trainable": Annotated[list[int], Field(min_length=2, max_length=2)],
    "unreached": list[str],
    "observed_predictor": Live,
    "lazy_predict": Live,
    "default_clock": str,
    "stands_still_with_the_day": bool,
    "real_work": _Work,
    "call_ours": None,
    "scripted_training": _Kit,
    "new_script": None,
    "training_state": _State,
    "learnable_problem": _Kit,
    "sweep_kit": _Sweep,
}
_OWN: Final = (_Kit, _State, _Sweep, _Work)
_ADAPTERS: Final = {name: TypeAdapter(kind, config=None if kind in _OWN else _STRICT) for name, kind in _KINDS.items()}


def is_answer_of(tool: str, answer: Any) -> bool:
    """Whether a tool of the worker's can have given an answer.

    Args:
        tool: The tool's name.
        answer: What came over the channel.

    Returns:
        False where it is of another kind; tools that only `lab measure` uses are not known here.
    """
    adapter = _ADAPTERS.get(tool)
    if adapter is None:
        return True
    try:
        adapter.validate_python(answer)
    except ValidationError:
        return False
    return True
