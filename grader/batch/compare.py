"""What changed between two runs, before anything is given back."""

from __future__ import annotations

from dataclasses import dataclass

from grader.store import schema
from grader.store.results import Results
from grader.store.standing import Standing, standings


@dataclass(frozen=True, slots=True)
class Change:
    """One student's grade in two runs.

    Attributes:
        student: What to call the student.
        before: Score in the first run; None when there was none.
        after: Score in the second run.
        checks: Checks whose points differ, `name before -> after`.
    """

    student: str
    before: float | None
    after: float | None
    checks: tuple[str, ...]


def changes(store: Results, first: schema.Run, second: schema.Run) -> list[Change]:
    """Students whose score, or points of a check, differ.

    Args:
        store: An open store.
        first: The earlier run.
        second: The later run.
    """
    before = {one.student.id: one for one in standings(store, first)}
    after = {one.student.id: one for one in standings(store, second)}
    found = []
    for number in dict.fromkeys((*before, *after)):
        old, new = before.get(number), after.get(number)
        student = (new or old).student  # type: ignore[union-attr]
        checks = _checks(old, new)
        if checks or _score(old) != _score(new):
            found.append(Change(student.name or student.key, _score(old), _score(new), checks))
    return found


def _score(standing: Standing | None) -> float | None:
    return standing.score if standing is not None else None


def _checks(old: Standing | None, new: Standing | None) -> tuple[str, ...]:
    earned = [_earned(one) for one in (old, new)]
    names = dict.fromkeys((*earned[0], *earned[1]))
    return tuple(
        f"{name} {_shown(earned[0].get(name))} -> {_shown(earned[1].get(name))}"
        for name in names
        if earned[0].get(name) != earned[1].get(name)
    )


def _earned(standing: Standing | None) -> dict[str, float]:
    if standing is None or standing.entry is None or standing.entry.grading is None:
        return {}
    return {check.name: check.earned for check in standing.entry.grading.checks}


def _shown(points: float | None) -> str:
    return "none" if points is None else f"{points:g}"
