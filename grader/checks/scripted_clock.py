"""A bench whose time stands on the trusted side: images with an identity, a lazy network, a clock, and a record of all that happened.

Time goes on only by what the script says a call, a wait or a look at the clock costs, so that a student's figures can be told exactly.
The work of a call is done when its result is waited for. The first call with a batch of a size takes ten times as long as the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from grader.checks.compare import fail, integer, show

IMAGE_SHAPE: Final = (2, 2, 3)
CLASSES: Final = 4
FIRST_TIMES: Final = 10
"""How many times longer the first call with a batch size takes: TensorFlow builds its graph."""

MAX_CALLS: Final = 20_000
"""Calls, and readings of the clock, that no right solution comes near."""

MAX_PENDING: Final = 2000
"""Calls whose results are not waited for: more than any script has images, so that a loop that never waits is told so."""

UNKNOWN: Final = -1
"""Identity of an image that is none of those given."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of predict.

    Attributes:
        number: Its number, from 0.
        images: Identities of the images of its batch: their places among those given, `UNKNOWN` for others.
        readings: How many times the clock had been read before.
    """

    number: int
    images: tuple[int, ...]
    readings: int


class ScriptedClock:
    """One run on the bench: what the student's function is given, and a record of what it did.

    Args:
        rng: Draws the images and what everything costs.
        count: Number of images.
        start_s: What the clock shows at first; drawn where it is None.
        printed: Tells how many bytes the submission has printed.

    Attributes:
        images: (count, 2, 2, 3) float32, all different.
        calls: The calls of predict in order.
        times: Readings of the clock in order, in seconds.
        other_dtype: The dtype of a batch that was not float32, as the images are; empty where there was none.
        overtaken: Numbers of calls whose result had not been waited for when the next call was made.
        printed: For each reading of the clock, how many bytes the submission had printed.
        plan: The places of the images of each call that is to be timed; empty where that is not said.
    """

    def __init__(
        self, rng: np.random.Generator, count: int, *, start_s: float | None = None, printed: Callable[[], int] = lambda: 0
    ) -> None:
        values = rng.permuted(np.arange(12 * count)) / 4096
        self.images: npt.NDArray[np.float32] = values.astype(np.float32).reshape(count, *IMAGE_SHAPE)
        self.calls: list[Call] = []
        self.times: list[float] = []
        self.other_dtype = ""
        self.overtaken: set[int] = set()
        self.printed: list[int] = []
        self.plan: list[tuple[int, ...]] = []
        self._count_printed = printed
        self._places = {image.tobytes(): place for place, image in enumerate(self.images)}
        self._rng = rng
        self._now_s = float(rng.uniform(-500.0, 90_000.0)) if start_s is None else start_s
        self._pending: dict[int, float] = {}
        self._waited_at: dict[int, int] = {}
        self._sizes: set[int] = set()

    def clock(self) -> float:
        """Shows the time. A look at the clock takes a little time too, as it does on any machine."""
        if len(self.times) >= MAX_CALLS:
            fail(f"the clock was read more than {MAX_CALLS} times", help="Look for a loop that never ends.")
        self.times.append(self._now_s)
        self.printed.append(self._count_printed())
        self._now_s += 1e-4
        return self.times[-1]

    def predict(self, batch: Any) -> int:
        """Takes a batch and gives the number of the call; the work is left for later."""
        images = self._identities(batch)
        self.overtaken |= self._pending.keys()
        number = len(self.calls)
        if number >= MAX_CALLS:
            fail(f"predict was called more than {MAX_CALLS} times", help="Look for a loop that never ends.")
        if len(self._pending) >= MAX_PENDING:
            fail(f"predict was called {MAX_PENDING} times, and no result was waited for", help="np.asarray(result) waits for it.")
        self.calls.append(Call(number, images, len(self.times)))
        # Uneven costs: no figure comes out right by chance, and the mean of rates is not the rate of the mean.
        work_s = float(self._rng.uniform(0.004, 0.012)) + 0.001 * len(images)
        if len(images) not in self._sizes:
            self._sizes.add(len(images))
            work_s *= FIRST_TIMES
        self._now_s += float(self._rng.uniform(0.001, 0.004))
        self._pending[number] = work_s
        return number

    def wait(self, number: Any) -> npt.NDArray[np.float32]:
        """Does the work of a call, if it is not done yet, and gives its result."""
        call = integer(number, "the number of the result that is waited for")
        if not 0 <= call < len(self.calls):
            fail("a result was waited for that no call gave")
        self._now_s += self._pending.pop(call, 0.0)
        self._waited_at.setdefault(call, len(self.times))
        return np.full((len(self.calls[call].images), CLASSES), 1 / CLASSES, np.float32)

    def unfinished(self, reading: int) -> set[int]:
        """The numbers of the calls whose result had not been waited for at a reading of the clock.

        Args:
            reading: Its number, from 0; -1 for the last.
        """
        reading %= len(self.times)
        return {call.number for call in self.calls if call.readings <= reading < self._waited_at.get(call.number, len(self.times))}

    @property
    def begin(self) -> int:
        """The number, from 0, of the reading that the timed region begins with.

        It is the first one; but where the last calls are those that are to be timed, and earlier calls lie between readings too, as where
        the warm-up is timed by itself, it is the one right before the calls that are to be timed.
        """
        first = len(self.calls) - len(self.plan)
        if not self.plan or first < 1 or [call.images for call in self.calls[first:]] != self.plan:
            return 0
        before, readings = self.calls[first - 1].readings, self.calls[first].readings
        return readings - 1 if readings > before > 0 else 0

    @property
    def warmup(self) -> list[Call]:
        """The calls before the timed region."""
        return [call for call in self.calls if call.readings <= self.begin]

    @property
    def timed(self) -> list[Call]:
        """The calls between the reading that the timed region begins with and the last one."""
        return [call for call in self.calls if self.begin < call.readings < len(self.times)]

    @property
    def total_s(self) -> float:
        """Time from the reading that the timed region begins with to the last one."""
        return self.times[-1] - self.times[self.begin] if self.times else 0.0

    def _identities(self, batch: Any) -> tuple[int, ...]:
        expected = f"expected: an array of shape (batch, {', '.join(str(size) for size in IMAGE_SHAPE)})"
        if not isinstance(batch, np.ndarray) or batch.dtype.kind not in "fiu":
            fail("predict should be given an array of images", expected, f"received: {show(batch)}")
        if batch.dtype != self.images.dtype:
            self.other_dtype = str(batch.dtype)
        if batch.shape == IMAGE_SHAPE:
            fail(
                "predict was given an image without a batch axis",
                expected,
                f"received: shape {batch.shape}",
                help="A batch of one image is images[i : i + 1], or image[np.newaxis].",
            )
        if batch.ndim != 1 + len(IMAGE_SHAPE) or batch.shape[1:] != IMAGE_SHAPE:
            fail("predict was given a batch of the wrong shape", expected, f"received: shape {batch.shape}")
        if not len(batch):
            fail("predict was given an empty batch", expected, f"received: shape {batch.shape}", help="Stop when no image is left.")
        if len(batch) > 4 * len(self.images):
            fail("predict was given a batch with more images than there are", expected, f"received: shape {batch.shape}")
        return tuple(self._places.get(image.tobytes(), UNKNOWN) for image in batch.astype(np.float32))


def in_batches(count: int, batch_size: int) -> list[tuple[int, ...]]:
    """The batches of the first images, in order.

    Args:
        count: Number of images.
        batch_size: Images a batch; the last one may have fewer.

    Returns:
        The places of each batch's images.
    """
    return [tuple(range(first, min(first + batch_size, count))) for first in range(0, count, batch_size)]


def batches_of(calls: Sequence[Call]) -> list[tuple[int, ...]]:
    """The images of each call.

    Args:
        calls: Calls of predict.

    Returns:
        The places of each call's images.
    """
    return [call.images for call in calls]
