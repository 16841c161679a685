"""Random numbers that are the same to the last bit on every machine.

The raw bits are those of Philox-4x64-10, a counter-based generator (Salmon et al., SC 2011) whose stream numpy keeps fixed; numpy's own
distributions may change between releases and are not used. What is made of the bits here needs integers, or one IEEE multiplication.
"""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")

_RESERVE = 128
"""Raw 64-bit words fetched at a time for scalar draws: one fetch is enough for an image."""


def key_of(*parts: bytes | str | int) -> int:
    """The 128-bit key that belongs to a sequence of parts, e.g. (seed, split, class, number).

    Args:
        *parts: bytes, text or whole numbers; their kind and length are part of the key, so that no two sequences run together.

    Returns:
        The first 128 bits of a BLAKE2b hash, as a whole number.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, bytes):
            kind, body = b"b", part
        elif isinstance(part, str):
            kind, body = b"s", part.encode("utf-8")
        else:
            kind, body = b"i", str(int(part)).encode("ascii")
        digest.update(kind + len(body).to_bytes(8, "little") + body)
    return int.from_bytes(digest.digest(), "little")


class Bits:
    """A stream of random numbers that belongs to a key.

    Args:
        *parts: what the stream belongs to; see `key_of`.
    """

    def __init__(self, *parts: bytes | str | int) -> None:
        self._philox = np.random.Philox(key=key_of(*parts))
        self._words: list[int] = []

    def word(self) -> int:
        """A whole number from 0 to 2**64 - 1."""
        if not self._words:
            self._words = self._philox.random_raw(_RESERVE).tolist()
            self._words.reverse()
        return self._words.pop()

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit - 1`.

        Args:
            limit: at least 1 and far below 2**64 (the bias is limit / 2**64).
        """
        return (self.word() * limit) >> 64

    def between(self, low: float, high: float) -> float:
        """A number in [low, high), from 53 random bits."""
        return low + (high - low) * ((self.word() >> 11) * 2.0**-53)

    def chance(self, share: float) -> bool:
        """True for about `share` of the calls."""
        return self.between(0.0, 1.0) < share

    def octets(self, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
        """Random bytes, in the same order whatever the machine's byte order.

        Args:
            shape: of the array.

        Returns:
            An array of that shape, uint8.
        """
        count = 1
        for length in shape:
            count *= length
        words = self._philox.random_raw((count + 7) // 8)
        return words.astype("<u8", copy=False).view(np.uint8)[:count].reshape(shape)

    def permutation(self, count: int) -> list[int]:
        """The numbers 0 to `count - 1` in random order (Fisher and Yates)."""
        order = list(range(count))
        self.shuffle(order)
        return order

    def shuffle(self, items: list[int]) -> None:
        """Puts a list in random order, in place."""
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]

    def choose(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]
