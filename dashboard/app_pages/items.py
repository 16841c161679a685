"""Item analysis: how hard each check is, what it tells, what goes wrong, and how long it takes."""

from functools import partial

import pandas as pd
import streamlit as st

from dashboard import show
from dashboard.charts import classroom as charts
from dashboard.session import chosen_run, whole_class
from dashboard.statistics import FEWEST_STUDENTS

EVERY = "every section"


def analysis(run: int, items: pd.DataFrame) -> None:
    """The checks of one section or of all."""
    section = st.selectbox("Section", [EVERY, *dict.fromkeys(items["name"].str.partition("/")[0])], key="section", bind="query-params")
    table = charts.item_table(items if section == EVERY else items[items["name"].str.startswith(f"{section}/")])
    left, right = st.columns(2)
    with left:
        show.figure(charts.difficulty(table))
    with right:
        if table["discrimination"].notna().any():
            show.figure(charts.discrimination(table))
        else:
            st.info(f"Discrimination is told from {FEWEST_STUDENTS} submissions on, where a check is passed by some and not by all.")
        show.alone(partial(messages, run, list(table["check"])))
    shown = table.rename(columns={"mean_s": "mean time, s", "longest_s": "longest, s", "difficulty": "points earned, share"})
    show.table(shown.round(3), key="items", alt="Every check with difficulty, interval, discrimination and time")


def messages(run: int, checks: list[str]) -> None:
    """What goes wrong in one check."""
    name = st.selectbox("Most frequent messages of", checks, key="check", bind="query-params")
    failures = whole_class().failures(run, name)
    if failures.empty:
        st.success("Everybody passed it.")
    else:
        show.table(failures, key="failures", alt=f"The most frequent messages of {name}")


run = chosen_run()
items = whole_class().items(run) if run is not None else None
if run is None or items is None or items.empty:
    show.nothing("No check of a class has run yet.", "lab batch submissions --db grades.db")
else:
    show.alone(partial(analysis, run, items))
