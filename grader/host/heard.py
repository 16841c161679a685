"""The texts in what a worker has answered lately: a submission's own words, which may not be repeated where an example is hidden."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import Any, Final

TELLTALE: Final = 16
"""So many characters in common are no chance: shorter words of the worker's (the name of a layer, a word of ours) may be repeated."""
KEPT_ANSWERS: Final = 20
KEPT_CHARACTERS: Final = 50_000
"""Kept of one answer. The reference's largest has 4,461 (the paths of its examples); what all answers hold is gone through in 0.2 s."""


class Heard:
    """The longer texts in the last answers, and nothing else of them: arrays would take gigabytes."""

    def __init__(self) -> None:
        self._answers: collections.deque[list[str] | None] = collections.deque(maxlen=KEPT_ANSWERS)

    def note(self, answer: Any) -> None:
        """Keeps the texts in an answer.

        Args:
            answer: What came over the channel.
        """
        texts: list[str] = []
        left = KEPT_CHARACTERS
        for text in _texts(answer):
            left -= len(text)
            if left < 0:
                # More than any honest answer says: nothing is known not to be in it.
                self._answers.append(None)
                return
            texts.append(text)
        self._answers.append(texts)

    def place_in(self, text: str) -> int | None:
        """Finds where a text begins to repeat what was heard.

        Args:
            text: One line of ours, with or without words of the worker's.

        Returns:
            The first place of the first `TELLTALE` characters in common; 0 where an answer had too many words to be kept; None where
            nothing is repeated.
        """
        if None in self._answers:
            return 0
        # The text is short and what was heard may be long: it is gone through once.
        places: dict[str, int] = {}
        for place in range(len(text) - TELLTALE + 1):
            places.setdefault(text[place : place + TELLTALE], place)
        return min(
            (
                places[words[start : start + TELLTALE]]
                for texts in self._answers
                for words in texts or ()
                for start in range(len(words) - TELLTALE + 1)
                if words[start : start + TELLTALE] in places
            ),
            default=None,
        )


def _texts(answer: Any) -> Iterator[str]:
    left = [answer]
    while left:
        value = left.pop()
        if isinstance(value, str):
            if len(value) >= TELLTALE:
                yield value
        elif isinstance(value, dict):
            left += [*value, *value.values()]
        elif isinstance(value, list | tuple):
            left += value
