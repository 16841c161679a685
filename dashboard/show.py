"""How things are put on a Streamlit page: figures, texts of a submission, feedback, what to do when there is nothing.

A submission's text goes through `st.text`, `st.code` or a table, which show it as it is, or through `escaped` where Streamlit reads
Markdown (labels and headings).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pandas as pd
import streamlit as st

from dashboard.figure import Figure
from grader.errors import LabError
from grader.report.text import LOOKS, headline, one_line, plain, score
from grader.results import CheckResult, State

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~:$^&=@/\"'])")


def escaped(text: object) -> str:
    """Text for a place that reads Markdown, so that it is shown as it is."""
    return _MARKDOWN.sub(r"\\\1", one_line(str(text)))


def figure(shown: Figure, *, key: str = "") -> None:
    """A figure: its title, the chart with its text alternative, how to read it, and its data to download."""
    with st.container(key=f"figure-{key}{shown.name}"):
        st.subheader(escaped(shown.title), anchor=False)
        st.altair_chart(shown.chart, width="stretch", alt=shown.alt, key=f"chart-{key}{shown.name}")
        if shown.note:
            st.caption(escaped(shown.note))
        with st.expander("In words, and the data"):
            st.text(shown.alt)
            st.download_button(
                f"Download {shown.name}.csv",
                shown.csv(),
                f"{shown.name}.csv",
                "text/csv",
                key=f"download-{key}{shown.name}",
                on_click="ignore",
            )


def attempt(draw: Callable[[], None]) -> None:
    """Draws a part of a page; what the person at the keyboard can mend is said in its place, and the rest of the page stands."""
    try:
        draw()
    except LabError as error:
        st.warning("This cannot be shown:")
        st.text(one_line(str(error)))


def alone(draw: Callable[[], None], *, every: float | None = None) -> None:
    """Draws a part of a page that is drawn anew by itself, as `st.fragment` does; `attempt` holds each time.

    Args:
        draw: Draws it. A choice made in it draws it again, and nothing else.
        every: Seconds after which it is drawn again anyway.
    """

    @st.fragment(run_every=every)
    def part() -> None:
        attempt(draw)

    part()


def nothing(what: str, command: str) -> None:
    """Says that there is nothing yet, and the command that makes it."""
    st.info(f"{what} Make it with:")
    st.code(command, language=None)


def problems(sentences: tuple[str, ...]) -> None:
    """Sentences about files that cannot be read."""
    if sentences:
        st.warning("Not everything could be read:")
        for sentence in sentences:
            st.text(one_line(sentence))


def json_list(value: object) -> list[str]:
    """A list of texts from a JSON column, as PostgreSQL (a list) or SQLite (its text) gives it."""
    found = json.loads(value) if isinstance(value, str) else value
    return [str(item) for item in found] if isinstance(found, list) else []


def table(frame: pd.DataFrame, *, key: str, alt: str, **options: object) -> object:
    """A table that can be searched and sorted, of text as it is."""
    return st.dataframe(frame, hide_index=True, width="stretch", key=key, alt=alt, **options)  # type: ignore[call-overload]


def feedback(check: CheckResult, *, key: str) -> None:
    """A check with all that it has to say."""
    look = LOOKS[check.state]
    with st.container(border=True, key=f"check-{key}"):
        st.markdown(f"**{look.symbol} {escaped(check.state)}** {escaped(score(check.earned, check.points))}  {escaped(check.title)}")
        if check.state is State.PASSED:
            return
        if line := headline(check):
            st.text(line)
        told = check.feedback
        if told is not None and check.state is not State.NOT_STARTED:
            if told.comparison:
                st.code(plain("\n".join(told.comparison)), language=None)
            if told.help:
                st.text(plain(told.help))
            if told.example:
                st.caption("Smallest failing example")
                st.code(plain(told.example), language="python")
            if told.where:
                st.text(f"Where: {one_line(told.where)}")
            if told.printed.strip():
                st.caption("Last lines that the submission printed in this check")
                st.code(plain(told.printed), language=None)
        if check.command and check.state in (State.FAILED, State.PARTIAL, State.UNDECIDED):
            st.caption("Run this check alone")
            st.code(one_line(check.command), language="bash")
