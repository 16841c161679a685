"""What the known submissions say about the grader: who was caught by what, and what never is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from grader.bank import Entry, entries, touched
from grader.lab import SECTION_POINTS, SECTIONS
from grader.results import Feedback
from grader.validate.mutants import Mutant, equivalents, mutants
from grader.validate.trial import Kind, Plan, Trial

MUTANT_GOAL: Final = 0.99
"""Part of the mutants that must be caught, each by a check of its own section."""

PARTS: Final = ("wheats", "chaffs", "mutants")

CONFIDENCE: Final = 0.95


@dataclass
class Validation:
    """Everything that was found.

    Attributes:
        reference: The reference's folder.
        wheats: The right submissions.
        chaffs: The wrong ones.
        mutants: The mutants, without those known as equivalent.
        equivalents: Names of mutants that are no mistakes, with the reasons.
        trials: What was graded, as it came.
        seconds: How long it took.
        planned: How many trials there are to be.
    """

    reference: Path
    wheats: Sequence[Entry] = ()
    chaffs: Sequence[Entry] = ()
    mutants: Sequence[Mutant] = ()
    equivalents: dict[str, str] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)
    seconds: float = 0.0
    planned: int = 0

    def plans(self, *, repeat: int = 0, first: int = 0, keyword: str = "", several: int = 0) -> list[Plan]:
        """What to grade.

        Args:
            repeat: How many gradings of right submissions, each with another secret.
            first: The number of the first of them, which its secret comes from.
            keyword: The checks of these gradings; all by default.
            several: How many submissions with several mistakes of one section, each also with one of them mended.

        Returns:
            The plans, the quick ones last so that all processes stay busy to the end.
        """
        plans = [Plan(Kind.WHEAT, entry.name, self.reference, (entry,)) for entry in self.wheats]
        right = [(), *((entry,) for entry in entries(self.reference / "wheats"))] if repeat else []
        for number in range(first, first + repeat):
            chosen = right[number % len(right)]
            name = f"{number + 1}: {chosen[0].name if chosen else 'reference'}"
            secret = f"validation {number}".encode()
            plans.append(Plan(Kind.REPEAT, name, self.reference, chosen, keyword=keyword, secret=secret))
        plans += self._of_several(several)
        plans += [
            Plan(Kind.CHAFF, entry.name, self.reference, (entry,), keyword=_section_keyword(entry.check.partition("/")[0]))
            for entry in self.chaffs
        ]
        for mutant in self.mutants:
            of_section = _section_keyword(mutant.section)
            file = f"{mutant.section}.py"
            plans.append(
                Plan(Kind.MUTANT, mutant.name, self.reference, file=file, source=mutant.source, keyword=of_section, first_loss=True)
            )
        return plans

    def _of_several(self, count: int) -> list[Plan]:
        random = Random(count)
        bank = entries(self.reference / "chaffs") if count else []
        by_section = [[entry for entry in bank if entry.check.startswith(f"{section}/")] for section in SECTIONS]
        plans: list[Plan] = []
        while len(plans) < 2 * count and any(len(known) > 1 for known in by_section):
            known = random.choice([known for known in by_section if len(known) > 1])
            chosen = random.sample(known, random.randint(2, min(4, len(known))))
            parts = [touched(entry) for entry in chosen]
            if len(set().union(*parts)) < sum(map(len, parts)):
                continue  # two change the same function: only the last of them would be there
            name = f"{len(plans) // 2 + 1}: {', '.join(entry.name for entry in chosen)}; without the first"
            keyword = _section_keyword(chosen[0].check.partition("/")[0])
            plans.append(Plan(Kind.SEVERAL, name, self.reference, tuple(chosen), keyword=keyword))
            plans.append(Plan(Kind.MENDED, name, self.reference, tuple(chosen[1:]), keyword=keyword))
        return plans

    def fallen(self) -> list[tuple[Trial, Trial]]:
        """Submissions that scored lower with one mistake mended: as they were, and mended."""
        mended = {trial.name: trial for trial in self.of(Kind.MENDED)}
        pairs = [(trial, mended[trial.name]) for trial in self.of(Kind.SEVERAL) if trial.name in mended]
        return [(one, other) for one, other in pairs if other.points < one.points or other.problem]

    def of(self, kind: Kind) -> list[Trial]:
        """The trials of one kind, by name."""
        return sorted((trial for trial in self.trials if trial.kind is kind), key=lambda trial: trial.name)

    def rejected(self) -> list[Trial]:
        """Right submissions that did not get all points."""
        return [trial for trial in self.of(Kind.WHEAT) if not whole(trial)]

    def missed(self) -> list[tuple[Trial, str]]:
        """Wrong submissions that were not caught by their check and with their words, and what was wanted."""
        known = {entry.name: entry for entry in self.chaffs}
        found = []
        for trial in self.of(Kind.CHAFF):
            entry = known[trial.name]
            check = trial.lost.get(entry.check)
            if check is None or check.feedback is None:
                others = f", only by {', '.join(trial.lost)}" if trial.lost else ""
                found.append((trial, trial.problem or f"not caught by {entry.check}{others}"))
            elif lacking := [word for word in entry.words if word not in told(check.feedback)]:
                found.append((trial, f"{entry.check} says {check.feedback.summary!r}, without {', '.join(map(repr, lacking))}"))
        return found

    def survivors(self) -> list[Trial]:
        """Mutants that no check of their section caught."""
        return [trial for trial in self.of(Kind.MUTANT) if not trial.lost]

    def stale(self) -> list[str]:
        """Names in the file of equivalent mutants that are no mutants any more."""
        return sorted(self.equivalents.keys() - {mutant.name for mutant in mutants(self.reference)})

    def differing(self) -> list[Trial]:
        """Gradings of right submissions that took a point."""
        return [trial for trial in self.of(Kind.REPEAT) if trial.lost or trial.problem]

    def catches(self) -> dict[str, dict[str, list[str]]]:
        """Which chaffs and mutants each check caught.

        Returns:
            From a check's name to names by `chaffs`, `alone` (chaffs that no other check of the section caught) and `mutants` (those that
            it was the first to catch).
        """
        table: dict[str, dict[str, list[str]]] = {
            check.name: {"chaffs": [], "alone": [], "mutants": []} for trial in self.trials for check in trial.checks
        }
        for trial in self.of(Kind.CHAFF):
            for name in trial.lost:
                table[name]["chaffs"].append(trial.name)
                if len(trial.lost) == 1:
                    table[name]["alone"].append(trial.name)
        for trial in self.of(Kind.MUTANT):
            for name in trial.lost:
                table[name]["mutants"].append(trial.name)
        return dict(sorted(table.items(), key=lambda row: SECTIONS.index(row[0].partition("/")[0])))

    def repeats(self) -> dict[str, tuple[int, int]]:
        """How often each check was repeated on right submissions, and how often it took a point."""
        runs: Counter[str] = Counter()
        lost: Counter[str] = Counter()
        for trial in self.of(Kind.REPEAT):
            runs.update(check.name for check in trial.checks)
            lost.update(trial.lost.keys())
        return {name: (count, lost[name]) for name, count in runs.items()}

    @property
    def caught_share(self) -> float:
        """Part of the mutants that were caught; 1 when there are none."""
        tried = self.of(Kind.MUTANT)
        return 1 - len(self.survivors()) / len(tried) if tried else 1.0

    @property
    def holds(self) -> bool:
        """Whether all that was tried came out as it must."""
        wrong = self.rejected() or self.missed() or self.differing() or self.fallen() or self.stale()
        return not wrong and self.caught_share >= MUTANT_GOAL


def prepare(reference: Path, parts: Iterable[str] = PARTS, sections: Iterable[str] = SECTIONS) -> Validation:
    """Reads what there is to try.

    Args:
        reference: The reference's folder, with its bank.
        parts: Which of wheats, chaffs and mutants.
        sections: Chaffs and mutants of these sections only.

    Returns:
        A validation with nothing tried yet.

    Raises:
        LabError: The reference or its bank cannot be read.
    """
    chosen, of_sections = set(parts), set(sections)
    known = equivalents(reference)

    def wanted(part: str, section: str) -> bool:
        return part in chosen and section in of_sections

    return Validation(
        reference,
        wheats=entries(reference / "wheats") if "wheats" in chosen else (),
        chaffs=[entry for entry in entries(reference / "chaffs") if wanted("chaffs", entry.check.partition("/")[0])],
        mutants=[mutant for mutant in mutants(reference) if wanted("mutants", mutant.section) and mutant.name not in known],
        equivalents={name: reason for name, reason in known.items() if wanted("mutants", name.partition(".")[0])},
    )


def whole(trial: Trial) -> bool:
    """Whether a trial got every point of the lab."""
    return not trial.problem and math.isclose(sum(check.earned for check in trial.checks), SECTION_POINTS * len(SECTIONS))


def told(feedback: Feedback) -> str:
    """All that a feedback says, in one text."""
    return "\n".join((feedback.summary, *feedback.comparison, feedback.help, feedback.where))


def upper_bound(failures: int, runs: int, confidence: float = CONFIDENCE) -> float:
    """The largest rate of failure that fits what was counted.

    Args:
        failures: How many failed.
        runs: How many there were, at least 1.
        confidence: That the true rate is not above.

    Returns:
        The one-sided upper bound of Clopper and Pearson (1934): the rate at which so few failures would have a chance of 1 - confidence.
    """
    if failures >= runs:
        return 1.0

    def chance(rate: float) -> float:
        return sum(math.comb(runs, count) * rate**count * (1 - rate) ** (runs - count) for count in range(failures + 1))

    low, high = failures / runs, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if chance(middle) > 1 - confidence else (low, middle)
    return high


def _section_keyword(section: str) -> str:
    return f"test_{section}.py"
