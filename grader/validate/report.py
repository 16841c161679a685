"""A validation shown: on the terminal, as a table of numbers for a spreadsheet, and as the page of what students are told."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Final

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from grader.bank import Entry
from grader.lab import SECTIONS
from grader.report.text import one_line
from grader.results import CheckResult
from grader.validate.trial import Kind, Trial
from grader.validate.validation import CONFIDENCE, MUTANT_GOAL, Validation, upper_bound

SHOWN: Final = 12
"""Names in one cell; the table file has all of them."""

FEEDBACK_HEAD: Final = """\
# What students are told

Written by `lab validate --feedback docs/feedback.md`; do not edit it. Each row is one wrong submission of `solutions/chaffs/`: what is
wrong with it, the check that takes its points, and what the student reads there first. The report adds expected against received, the
smallest example that fails, and the command that runs this check alone.
"""


def show(validation: Validation, console: Console) -> None:
    """Prints what was found: the matrix, what was missed, and a line for each part.

    Args:
        validation: What was found.
        console: Where to.
    """
    if any(validation.of(kind) for kind in (Kind.CHAFF, Kind.MUTANT)):
        console.print(_matrix(validation))
    for line in _problems(validation):
        console.print(line, soft_wrap=True, markup=False)
    for line in summary(validation):
        console.print(line, soft_wrap=True, markup=False)


def summary(validation: Validation) -> Iterator[str]:
    """A line for each part that was tried.

    Args:
        validation: What was found.

    Yields:
        The lines.
    """
    if tried := validation.of(Kind.WHEAT):
        yield f"wheats      {len(tried) - len(validation.rejected())} of {len(tried)} at 100"
    if tried := validation.of(Kind.CHAFF):
        yield f"chaffs      {len(tried) - len(validation.missed())} of {len(tried)} caught by name"
    if tried := validation.of(Kind.MUTANT):
        caught = len(tried) - len(validation.survivors())
        share = f"{validation.caught_share:.1%}, goal {MUTANT_GOAL:.0%}"
        yield f"mutants     {caught} of {len(tried)} caught ({share}); {len(validation.equivalents)} more are equivalent"
    if tried := validation.of(Kind.SEVERAL):
        yield f"mending     {len(tried)} submissions with several mistakes, {len(validation.fallen())} lost points by mending one"
    if tried := validation.of(Kind.REPEAT):
        differing = len(validation.differing())
        bound = upper_bound(differing, len(tried))
        yield f"gradings    {len(tried)} repeated, {differing} differing (the rate is below {bound:.2%}, with {CONFIDENCE:.0%} confidence)"
        counts = validation.repeats().values()
        if counts:
            least, lost = min(count for count, _ in counts), sum(lost for _, lost in counts)
            yield f"checks      each repeated {least} times or more, {lost} took a point"
    yield f"took        {int(validation.seconds // 60)} min {validation.seconds % 60:.0f} s"
    part = "" if len(validation.trials) >= validation.planned else f" in {len(validation.trials)} of {validation.planned} gradings"
    yield ("the grader holds" if validation.holds else "the grader does NOT hold") + part


def matrix_csv(validation: Validation) -> str:
    """The whole matrix: a row for each chaff and mutant, a column for each check.

    Args:
        validation: What was found.

    Returns:
        CSV; a cell holds the points that a check took, nothing where it took none, and `-` where it did not run.
    """
    columns = list(validation.catches())
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["kind", "name", *columns])
    for kind in (Kind.CHAFF, Kind.MUTANT):
        for trial in validation.of(kind):
            earned = {check.name: check for check in trial.checks}
            cells = [_cell(trial, name, name in earned) for name in columns]
            writer.writerow([kind.value, trial.name, *cells])
    return text.getvalue()


def feedback_page(validation: Validation) -> str:
    """What a student reads for each chaff.

    Args:
        validation: One in which the chaffs were tried.

    Returns:
        A page in Markdown.
    """
    parts = [FEEDBACK_HEAD]
    trials = {trial.name: trial for trial in validation.of(Kind.CHAFF)}
    for section in SECTIONS:
        rows = [
            feedback_row(entry, trials[entry.name].lost.get(entry.check))
            for entry in validation.chaffs
            if entry.name in trials and entry.check.partition("/")[0] == section
        ]
        if rows:
            parts.append(
                f"## {section.capitalize()}\n\n| what is wrong | check | what the student reads | help |\n|---|---|---|---|\n"
                + "\n".join(rows)
            )
    return "\n\n".join(parts) + "\n"


def _matrix(validation: Validation) -> Table:
    table = Table(box=box.SIMPLE, title="What each check caught", title_justify="left")
    for column, justify in (("check", "left"), ("chaffs", "right"), ("alone", "right"), ("mutants", "right"), ("chaffs it caught", "left")):
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for name, caught in validation.catches().items():
        shown = ", ".join(caught["chaffs"][:SHOWN])
        more = f", {len(caught['chaffs']) - SHOWN} more" if len(caught["chaffs"]) > SHOWN else ""
        counts = [str(len(caught[column])) for column in ("chaffs", "alone", "mutants")]
        table.add_row(escape(name), *counts, escape(shown + more))
    return table


def _problems(validation: Validation) -> Iterator[str]:
    for trial in validation.rejected():
        yield f"REJECTED    {trial.name}: {trial.problem or _losses(trial)}"
    for trial, why in validation.missed():
        yield f"MISSED      {trial.name}: {why}"
    for trial in validation.survivors():
        yield f"SURVIVED    {trial.name}{f' ({trial.problem})' if trial.problem else ''}"
    for trial in validation.differing():
        yield f"DIFFERS     {trial.name}: {trial.problem or _losses(trial)}"
        # One in hundreds does not come again when it is looked for: what the worker said last is all there is.
        for name, check in trial.lost.items():
            if check.feedback is not None and check.feedback.printed:
                yield f"            {name} printed last: {one_line(check.feedback.printed)}"
    for one, mended in validation.fallen():
        yield f"FALLEN      {one.name}: {mended.problem or f'{one.points:g} points became {mended.points:g}'}"
    for name in validation.stale():
        yield f"STALE       {name}: the file of equivalent mutants names it, and there is no such mutant"
    right = [trial for trial in validation.trials if trial.kind in (Kind.WHEAT, Kind.REPEAT)]
    undecided = {check.name: check for trial in right for check in trial.checks if check.name in trial.undecided}
    for name, check in sorted(undecided.items()):
        why = check.feedback.summary if check.feedback is not None else ""
        yield f"UNDECIDED   {name}: the grader could not tell on a right submission; it cost no points ({why})"
    if validation.of(Kind.CHAFF):
        alone = [name for name, caught in validation.catches().items() if not caught["alone"] and not caught["mutants"]]
        if alone:
            yield f"catch nothing alone: {', '.join(alone)}"


def _losses(trial: Trial) -> str:
    told = (
        f"{name} {check.earned:g}/{check.points:g}: {check.feedback.summary if check.feedback else ''}"
        for name, check in trial.lost.items()
    )
    return "; ".join(told) or "not every check ran"


def _cell(trial: Trial, name: str, ran: bool) -> str:
    if name in trial.lost:
        return f"{trial.lost[name].points - trial.lost[name].earned:g}"
    return "" if ran else "-"


def feedback_row(entry: Entry, check: CheckResult | None) -> str:
    """A chaff's row of the page.

    Args:
        entry: The chaff.
        check: What its check said; None when it took no points.

    Returns:
        One line of a table in Markdown.
    """
    feedback = check.feedback if check is not None else None
    said = (feedback.summary, feedback.help) if feedback is not None else ("**not caught**", "")
    return "| " + " | ".join(_markdown(text) for text in (entry.summary, entry.check, *said)) + " |"


def _markdown(text: str) -> str:
    for mark in "\\`*_[]<>|":
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split())
