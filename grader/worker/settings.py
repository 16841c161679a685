"""Settings of TensorFlow that a submission makes too late: the grader has started TensorFlow before a module is imported."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, Final

_SETTINGS: Final = (
    ("config", "set_visible_devices"),
    ("config", "set_logical_device_configuration"),
    ("config.threading", "set_intra_op_parallelism_threads"),
    ("config.threading", "set_inter_op_parallelism_threads"),
    ("config.experimental", "set_visible_devices"),
    ("config.experimental", "set_virtual_device_configuration"),
    ("config.experimental", "set_memory_growth"),
)
"""What TensorFlow refuses with a RuntimeError once it has started; all of it is legal at the head of a program."""


def tolerate_late_settings() -> None:
    """Makes such a setting print a line and change nothing where TensorFlow would refuse it. Without TensorFlow nothing happens."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or getattr(tensorflow, "lab_tolerates", False):
        return
    for place, name in _SETTINGS:
        module = functools.reduce(getattr, place.split("."), tensorflow)
        setattr(module, name, _tolerant(getattr(module, name)))
    tensorflow.lab_tolerates = True  # type: ignore[attr-defined]


def _tolerant(setting: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(setting)
    def late(*args: Any, **kwargs: Any) -> Any:
        try:
            return setting(*args, **kwargs)
        except RuntimeError as error:
            print(f"tf.config: {setting.__name__} is left out here, {error}", file=sys.stderr)
            return None

    return late
