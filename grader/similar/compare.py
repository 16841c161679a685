"""Fingerprints of code and the pairs that share many, with copydetect (winnowing: Schleimer, Wilkerson and Aiken, 2003).

Names, comments and strings do not count. Neither does what stands in the stubs, nor what many of a class have: there are few ways to write
a line that a docstring gives the formula of.
"""

from __future__ import annotations

import io
import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import copydetect
from copydetect.utils import get_token_coverage

from grader.lab import MODULE_FILES
from grader.similar.texts import Text

LENGTH: Final = 25
"""Characters of a fingerprint, after names were made one letter each: about a line of code. The library's own default."""

WINDOW: Final = 1
"""Every fingerprint is kept. A larger window keeps those with small hashes, which differ from one start of Python to the next."""

COMMON_SHARE: Final = 0.25
COMMON_LEAST: Final = 6
"""A fingerprint that more than this part of a class has, and no fewer submissions than this, is how one writes it."""

FEWEST: Final = 120
"""Characters of own code, without names, from which two modules can be compared at all."""


@dataclass(frozen=True, slots=True)
class SharedModule:
    """What two submissions share in one module.

    Attributes:
        name: The module's file.
        share: Part of the smaller one's own code that the other has too, 0 to 1.
        texts: Both texts.
        places: For both, where the shared code begins and ends, in characters.
    """

    name: str
    share: float
    texts: tuple[str, str]
    places: tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two submissions.

    Attributes:
        first: One.
        second: The other.
        share: Part of the smaller one's own code that the other has too, over all modules, 0 to 1.
        modules: The modules that share something, the most first.
    """

    first: Text
    second: Text
    share: float
    modules: tuple[SharedModule, ...]

    @property
    def where(self) -> str:
        """The modules with their shares, for a person: `training.py 85%, data.py 20%`."""
        return ", ".join(f"{module.name} {module.share:.0%}" for module in self.modules)


def compare(texts: Sequence[Text], stubs: Mapping[str, str], *, least: float = 0.5) -> list[Pair]:
    """Finds the pairs that share most.

    Args:
        texts: The class.
        stubs: What every student was given, by file name.
        least: The smallest share to be told, 0 to 1.

    Returns:
        The pairs of different students, the largest share first.
    """
    prints = {name: _own(texts, name, stubs.get(name, "")) for name in MODULE_FILES}
    pairs = []
    for one, other in _candidates(prints):
        first, second = texts[one], texts[other]
        if first.keys & second.keys:
            continue
        pair = _pair(first, second, [(name, of[one], of[other]) for name, of in prints.items() if one in of and other in of])
        if pair.share >= least:
            pairs.append(pair)
    return sorted(pairs, key=lambda pair: (-pair.share, pair.first.label, pair.second.label))


def _own(texts: Sequence[Text], name: str, stub: str) -> dict[int, Any]:
    """The fingerprints of one module, by the submission's place, without what is given or common."""
    found = {place: _fingerprint(text.files[name], name) for place, text in enumerate(texts) if name in text.files}
    often = Counter(itertools.chain.from_iterable(one.hashes for one in found.values()))
    limit = max(COMMON_LEAST, COMMON_SHARE * len(texts))
    left_out = {value for value, count in often.items() if count > limit} | _fingerprint(stub, name).hashes
    for one in found.values():
        one.hashes -= left_out
        one.hash_idx = {value: places for value, places in one.hash_idx.items() if value not in left_out}
        one.token_coverage = int(get_token_coverage(one.hash_idx, one.k, len(one.filtered_code)))
    return {place: one for place, one in found.items() if one.token_coverage >= FEWEST}


def _fingerprint(source: str, name: str) -> Any:
    return copydetect.CodeFingerprint(name, LENGTH, WINDOW, language="python", fp=io.StringIO(source))


def _candidates(prints: Mapping[str, Mapping[int, Any]]) -> list[tuple[int, int]]:
    """Pairs that share anything: most of a class shares nothing that is not common, so few are looked at closely."""
    found: set[tuple[int, int]] = set()
    for of_module in prints.values():
        holders: dict[int, list[int]] = defaultdict(list)
        for place, one in of_module.items():
            for value in one.hashes:
                holders[value].append(place)
        for places in holders.values():
            found.update(itertools.combinations(sorted(places), 2))
    return sorted(found)


def _pair(first: Text, second: Text, modules: Sequence[tuple[str, Any, Any]]) -> Pair:
    shared = []
    overlap = smaller = 0.0
    for name, one, other in modules:
        _, shares, places = copydetect.compare_files(one, other)
        # The library counts from the first file; what lies between two fingerprints that are not the file's own can count twice.
        share = min(1.0, max(shares))
        size = min(one.token_coverage, other.token_coverage)
        overlap, smaller = overlap + share * size, smaller + size
        if share:
            texts = (one.raw_code, other.raw_code)
            shared.append(SharedModule(name, float(share), texts, (_spans(places[0], texts[0]), _spans(places[1], texts[1]))))
    shared.sort(key=lambda module: -module.share)
    return Pair(first, second, float(overlap / smaller) if smaller else 0.0, tuple(shared))


def _spans(places: Any, text: str) -> tuple[tuple[int, int], ...]:
    spans: list[tuple[int, int]] = []
    for start, end in sorted((int(start), min(int(end), len(text))) for start, end in zip(places[0], places[1], strict=True)):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        elif start < end:
            spans.append((start, end))
    return tuple(spans)
