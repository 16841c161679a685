"""Item analysis: how hard each check is, what it tells, what goes wrong, and how long it takes."""

import streamlit as st

from dashboard import show
from dashboard.charts import classroom as charts
from dashboard.session import chosen_run, whole_class
from dashboard.statistics import FEWEST_STUDENTS

klass, run = whole_class(), chosen_run()
items = klass.items(run) if run is not None else None
if items is None or items.empty:
    show.nothing("No check of a class has run yet.", "lab batch submissions --db grades.db")
    st.stop()
sections = ["every section", *dict.fromkeys(name.partition("/")[0] for name in items["name"])]
section = st.selectbox("Section", sections, key="section", bind="query-params")
if section != sections[0]:
    items = items[items["name"].str.startswith(f"{section}/")]
table = charts.item_table(items)
left, right = st.columns(2)
with left:
    show.figure(charts.difficulty(table))
with right:
    if table["discrimination"].notna().any():
        show.figure(charts.discrimination(table))
    else:
        st.info(f"Discrimination is told from {FEWEST_STUDENTS} submissions on, where a check is passed by some and not by all.")
    name = st.selectbox("Most frequent messages of", list(table["check"]), key="check", bind="query-params")
    failures = klass.failures(run, name)
    if failures.empty:
        st.success("Everybody passed it.")
    else:
        show.table(failures, key="failures", alt=f"The most frequent messages of {name}")
shown = table.rename(columns={"mean_s": "mean time, s", "longest_s": "longest, s", "difficulty": "points earned, share"})
show.table(shown.round(3), key="items", alt="Every check with difficulty, interval, discrimination and time")
