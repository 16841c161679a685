"""`make attacks`: every attack, in every tier that the machine has, as this user and as an unprivileged one; fails where one wins.

python -m tests.attacks [--tier A] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table

from grader.host import jail
from tests.attacks.archives import ARCHIVES
from tests.attacks.arena import arena
from tests.attacks.calls import CALLS
from tests.attacks.grades import GRADES
from tests.attacks.other_user import run_as_other

Row = dict[str, str]


def run_tier(tier: str) -> list[Row]:
    """Runs all attacks in one tier; a row each, `won` is empty where the attack was stopped."""
    rows: list[Row] = []
    with arena(tier) as ours:
        for kind, attacks in CALLS.items():
            for name, tiers, source in attacks:
                # Where nothing is promised, nothing would keep an attack from this machine: it is not run.
                promised = tier in tiers and not (kind == "32-bit system calls" and platform.machine() != "x86_64")
                won = ours.call(source) if promised else "not run"
                rows.append({"class": kind, "attack": name, "won": won, "promised": "yes" if promised else ""})
        rows += [{"class": attack.kind, "attack": attack.name, "won": ours.grade(attack), "promised": "yes"} for attack in GRADES]
        rows.append({"class": "all of them", "attack": "another submission's grade", "won": ours.innocent(), "promised": "yes"})
    rows += [{"class": kind, "attack": name, "won": run(), "promised": "yes"} for kind, name, run in ARCHIVES]
    return rows


def main() -> None:
    """Prints the table.

    Raises:
        SystemExit: With 1 when an attack was not stopped in a tier that promises it.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tier", action="append", choices=["A", "B", "C"], help="only this tier; may be given again")
    parser.add_argument("--json", action="store_true", help="rows as JSON, of this user only")
    options = parser.parse_args()
    best = jail.probe()
    tiers = options.tier or [tier for tier in "ABC" if tier >= best.tier]
    columns = {(_user(), tier): run_tier(tier) for tier in tiers}
    if options.json:
        sys.stdout.write(json.dumps({tier: rows for (_, tier), rows in columns.items()}) + "\n")
        return
    console = Console()
    if os.geteuid() == 0:
        others = run_as_other([tier for tier in tiers if tier != "C"])
        if isinstance(others, str):
            console.print(f"NOT RUN as an unprivileged user: {others}", style="bold red")
        else:
            columns |= {("nobody", tier): rows for tier, rows in others.items()}
    for missing in best.missing:
        console.print(f"not a higher tier: {missing}")
    console.print(_table(columns))
    lost = [row for rows in columns.values() for row in rows if row["won"] and row["promised"]]
    for row in lost:
        console.print(f"NOT STOPPED: {row['class']}: {row['attack']}: {row['won']}", style="bold red")
    total = sum(len(rows) for rows in columns.values())
    console.print(f"{total} attacks run, {len(lost)} not stopped where it is promised")
    sys.exit(1 if lost or (os.geteuid() == 0 and isinstance(others, str)) else 0)


def _table(columns: dict[tuple[str, str], list[Row]]) -> Table:
    table = Table("class", *(f"tier {tier}, {user}" for user, tier in columns), title="Attacks stopped, by class")
    by_column = [{kind: list(rows) for kind, rows in groupby(sorted(rows, key=_kind), key=_kind)} for rows in columns.values()]
    for kind in dict.fromkeys(row["class"] for rows in columns.values() for row in rows):
        cells = []
        for column in by_column:
            rows = column.get(kind, [])
            stopped = sum(not row["won"] for row in rows)
            broken = [row for row in rows if row["won"] and row["promised"]]
            word = "NOT STOPPED" if broken else "stopped" if stopped == len(rows) else "not promised"
            cells.append(f"{word} {stopped}/{len(rows)}")
        table.add_row(kind, *cells)
    return table


def _kind(row: Row) -> str:
    return row["class"]


def _user() -> str:
    return "root" if os.geteuid() == 0 else Path.home().name or "user"


if __name__ == "__main__":
    main()
