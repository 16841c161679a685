"""The tools by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import grader.worker.tools.datasets as datasets
import grader.worker.tools.measuring as measuring
import grader.worker.tools.models as models
import grader.worker.tools.profiler as profiler
import grader.worker.tools.timing as timing
import grader.worker.tools.training as training

TOOLS: Final[dict[str, Callable[..., Any]]] = {
    function.__name__: function for module in (datasets, measuring, models, profiler, timing, training) for function in module.PROVIDED
}
"""Every function that a module of this folder provides. The modules import TensorFlow inside their functions."""
