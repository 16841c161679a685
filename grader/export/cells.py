"""CSV as spreadsheets and course systems read it."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from grader.errors import LabError

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet run a cell (OWASP, CSV injection), in wide letters too."""
_NEXT_CELL: Final = re.compile(r"([;|]\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Where a spreadsheet that parts cells by another sign than a comma would begin a cell with a formula."""


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe stands before what would be one."""
    # Signs without a width would hide from us what stands first.
    seen = "".join(sign for sign in text if unicodedata.category(sign) != "Cf")
    plain = _NEXT_CELL.sub(r"\1'", " ".join(seen.split()))
    return f"'{plain}" if plain.startswith(_FORMULA) or seen.startswith(_FORMULA) else plain


def points(score: float | None) -> str:
    """A score with two decimals and a point; empty when there is none. No separator of thousands: Canvas reads `1,234` as 1.234."""
    return "" if score is None else f"{score:.2f}"


def read(file: Path) -> list[list[str]]:
    """Reads a CSV in UTF-8, with or without a byte order mark.

    Raises:
        LabError: It is no such file, or empty.
    """
    try:
        rows = list(csv.reader(io.StringIO(file.read_bytes().decode("utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabError(f"{file} cannot be read ({error}); expected a CSV in UTF-8, as it was downloaded.") from error
    if not rows:
        raise LabError(f"{file} is empty; expected a CSV as it was downloaded.")
    return rows


def write(file: Path, rows: Iterable[Sequence[str]], *, mark: bool = False) -> None:
    """Writes a CSV in UTF-8; with a byte order mark for programs that need it to know the encoding."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8-sig" if mark else "utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\r\n").writerows(rows)
