"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grader.errors import LabError
from grader.lab import TRAINING_BATCH_SIZES


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        name: `standard` or `quick`.
        repeats: Times each timing is repeated; ten are the fewest from which a spread can be told (after pyperf).
        per_class: Training images a class of the main run; all of the small set.
        epoch_limit: Epoch limit of the main run.
        batch_size: Batch size of the main run.
        sweep_classes: Classes of the sweep; fewer than all, so that nine trainings take three minutes.
        sweep_limits: Epoch limits of the sweep. The two largest lie past where early stopping acts.
        sweep_batches: Batch sizes of the sweep.
    """

    name: str
    repeats: int
    per_class: int
    epoch_limit: int
    batch_size: int
    sweep_classes: int
    sweep_limits: tuple[int, ...]
    sweep_batches: tuple[int, ...] = TRAINING_BATCH_SIZES


STANDARD: Final = Plan("standard", repeats=10, per_class=25, epoch_limit=15, batch_size=32, sweep_classes=20, sweep_limits=(3, 15, 30))
QUICK: Final = Plan("quick", repeats=3, per_class=2, epoch_limit=2, batch_size=32, sweep_classes=4, sweep_limits=(1, 2))


def plan_named(name: str) -> Plan:
    """Finds a plan.

    Args:
        name: `standard` or `quick`.

    Returns:
        The plan.

    Raises:
        LabError: There is no such plan.
    """
    for plan in (STANDARD, QUICK):
        if plan.name == name:
            return plan
    raise LabError(f"There is no plan {name!r}; expected standard or quick.")
