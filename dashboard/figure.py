"""A chart with all that a reader needs of it, and the look that all charts share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import altair as alt
import pandas as pd

from grader.export.cells import harmless
from grader.report.text import one_line

BLUE: Final = "#0072B2"
VERMILION: Final = "#D55E00"
GREEN: Final = "#009E73"
PURPLE: Final = "#B0609A"
GREY: Final = "#7F7F7F"
COLOURS: Final = (BLUE, VERMILION, GREEN, PURPLE, GREY)
"""Okabe and Ito's colours where they have a contrast of 3:1 on white and on the dark background; purple is darkened for that."""

HEIGHT: Final = 340
"""Height of a chart, pixels."""


@dataclass(frozen=True)
class Figure:
    """A chart that says what it shows.

    Attributes:
        name: A word for file names and keys, unique on a page.
        title: What the chart shows, one line.
        chart: The chart, with units on its axes and without a title of its own.
        alt: The same in words, for those who do not see it: what is on it and the main figures.
        data: What the chart is drawn from, for the download.
        note: How to read it, where the chart alone does not say it.
    """

    name: str
    title: str
    chart: alt.TopLevelMixin
    alt: str
    data: pd.DataFrame
    note: str = ""

    def csv(self) -> bytes:
        """The data as CSV in UTF-8, safe to open in a spreadsheet."""
        safe = self.data.copy()
        for name in safe.columns:
            if not pd.api.types.is_numeric_dtype(safe[name]):
                safe[name] = safe[name].map(no_formula)
        return str(safe.to_csv(index=False)).encode("utf-8")


def rows_height(rows: int, each: int) -> int:
    """Height of a chart with one row for each of some names, pixels.

    Vega-Lite's own `Step` would do the same, but it cannot be fitted into a page's column without a warning.
    """
    return max(rows, 1) * each + 40


def no_formula(value: Any) -> Any:
    """Text as no spreadsheet takes it for a formula; anything else stays as it is."""
    return harmless(value) if isinstance(value, str) else value


def scale(names: list[str], colours: tuple[str, ...] = COLOURS) -> alt.Scale:
    """Colours for names in a fixed order, so that a name has the same colour on every page."""
    return alt.Scale(domain=names, range=list(colours[: len(names)]))


def shown(text: Any) -> str:
    """A submission's text as one harmless line."""
    return one_line(str(text))
