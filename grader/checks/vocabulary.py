"""What a student may read of an example that is to stay hidden: words of the grader's own, and small numbers.

A summary is written by a check, but names of layers, keys and the like in it are the submission's to choose, and may carry an example out.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Final

import grader

_PARTS: Final = ("checks", "rubric", "host")
"""The packages whose texts reach a student."""

_TOKEN: Final = re.compile(r"[A-Za-z_]+|[0-9]+|[ -~]")
_DIGITS: Final = 4
_NUMBERS: Final = 8
_LETTERS: Final = 4
_SIGNS: Final = 3
"""So many digits a number, numbers and single letters in all, and signs in a row are in what a check says; more might be an example."""


@functools.cache
def own_words() -> frozenset[str]:
    """The words in the sources of what grades, as they are written there and with a capital."""
    found: set[str] = set()
    for part in _PARTS:
        for file in Path(grader.__file__).with_name(part).glob("*.py"):
            found.update(re.findall(r"[A-Za-z_]+", file.read_text(encoding="utf-8")))
    return frozenset(found | {word[:1].upper() + word[1:] for word in found})


def in_own_words(text: str) -> str:
    """A text cut before the first thing in it that the grader would not say by itself.

    Args:
        text: One line.

    Returns:
        The text as it is, or its beginning with an ellipsis.
    """
    place = numbers = letters = signs = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        word = token[0] if token else ""
        is_word = word[:1].isalpha() or word[:1] == "_"
        numbers += word.isdigit()
        letters += is_word and len(word) == 1
        signs = 0 if is_word or word.isdigit() else signs + 1
        strange = not word or (is_word and word not in own_words()) or (word.isdigit() and len(word) > _DIGITS)
        if strange or numbers > _NUMBERS or letters > _LETTERS or signs > _SIGNS:
            return f"{text[:place].rstrip()} …" if place else "what the function gave is not right"
        place += len(word)
    return text
