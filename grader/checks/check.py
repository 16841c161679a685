"""A check as the rubric writes it: points, needs, and how many examples are drawn.

@check(points=2)
@examples(ids=wnid_lists(), count=20)
def test_label_map(submission, ids):
    \"\"\"A class's label is its line number in wnids.txt.\"\"\"
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants
from hypothesis.strategies import SearchStrategy

Function = TypeVar("Function", bound=Callable[..., Any])

PUBLIC_KEY: Final = b"public"
"""Seeds a student's own run, so that it is the same each time. Official runs use the course's secret."""


NO_CONSTANTS: Final = Constants()


def draw_the_same_everywhere() -> None:
    """Makes Hypothesis draw from the seed alone.

    It also draws numbers that stand in the source of whatever modules happen to be loaded from outside site-packages, so that the same
    seed gave other examples in an editable installation, beside a test suite, or in a batch. There is no setting for it.
    """
    providers._get_local_constants = lambda: NO_CONSTANTS
    providers.CONSTANTS_CACHE.cache.clear()


draw_the_same_everywhere()


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """What the rubric says of a check.

    Attributes:
        points: Points it is worth.
        needs: Names (without the section) of checks of the same section that must pass first.
        wall_s: Seconds that one worker may take, where the usual limit does not fit.
        alone: Whether no other check may run on the same cores at the same time, since it times something for real.
        prepare: Takes the check's seed, and draws and keeps what takes long; called while there is nothing else to do.
    """

    points: float
    needs: tuple[str, ...] = ()
    wall_s: float | None = None
    alone: bool = False
    prepare: Callable[[bytes], Any] | None = None


def check(
    points: float,
    *,
    needs: Sequence[str] = (),
    wall_s: float | None = None,
    alone: bool = False,
    prepare: Callable[[bytes], Any] | None = None,
) -> Callable[[Function], Function]:
    """Marks a test function as a check of the rubric.

    Args:
        points: Points it is worth.
        needs: Checks of the same section without which this one would only repeat their failure.
        wall_s: Seconds that one worker may take, where the usual limit does not fit.
        alone: Whether no other check may run on the same cores at the same time, since it times something for real.
        prepare: Takes the check's seed, and draws and keeps what takes long.

    Returns:
        A decorator; the function's docstring becomes the check's title.
    """

    def mark(function: Function) -> Function:
        function.lab_check = CheckSpec(points, tuple(needs), wall_s, alone, prepare)  # type: ignore[attr-defined]
        return function

    return mark


def examples(
    count: int, *, shrink: bool = True, always: Sequence[Mapping[str, Any]] = (), **strategies: SearchStrategy[Any]
) -> Callable[[Function], Function]:
    """Draws examples on the trusted side, from the run's seed.

    Args:
        count: How many.
        shrink: Whether a failure is made smaller; not where one example is slow.
        always: Examples that are tried each time, before any is drawn: values for the same parameters.
        strategies: A strategy for each parameter that is drawn.

    Returns:
        A decorator.
    """
    phases = (Phase.explicit, Phase.generate, Phase.shrink) if shrink else (Phase.explicit, Phase.generate)
    settings = hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )

    def draw(function: Function) -> Function:
        for one in reversed(always):
            function = hypothesis.example(**one)(function)
        return settings(hypothesis.given(**strategies)(function))  # type: ignore[return-value]

    return draw


def seed_of(secret: bytes | None, name: str) -> bytes:
    """The seed of one check in one run.

    Args:
        secret: The course's secret, or None for the public seed.
        name: The check's name.

    Returns:
        32 bytes (HMAC-SHA256), which tell nothing of the secret.
    """
    return hmac.new(PUBLIC_KEY if secret is None else b"secret:" + secret, name.encode(), hashlib.sha256).digest()
