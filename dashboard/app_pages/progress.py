"""How far a batch is, drawn anew every two seconds while it runs."""

import pandas as pd
import streamlit as st

from dashboard import show
from dashboard.session import LIVE_S, ask, chosen_run, viewer
from dashboard.whole_class import WholeClass

run = chosen_run()
live = WholeClass(lambda sql, parameters: ask(sql, parameters, LIVE_S), viewer())

# Without a result for so long, a run has most likely been stopped: no time is left to tell.
QUIET_S = 300.0


def _ago(seconds: float) -> str:
    minutes, seconds = divmod(max(seconds, 0.0), 60)
    if minutes >= 60:
        return f"{minutes // 60:.0f} h {minutes % 60:.0f} min"
    return f"{minutes:.0f} min {seconds:.0f} s" if minutes else f"{seconds:.0f} s"


def progress() -> None:
    """One look at the run."""
    if run is None:
        show.nothing("No class was graded into this database yet.", "lab batch submissions --db grades.db")
        return
    rows = live.progress(run)
    if rows.empty:
        st.info("There is no such run.")
        return
    row = rows.iloc[0]
    total, taken = int(row["submissions"] or row["entries"]), int(row["graded"] or 0) + int(row["failed"] or 0)
    st.progress(min(taken / total, 1.0) if total else 0.0, text=f"{taken:,} of {total:,} submissions, {row['state']}")
    columns = st.columns(4)
    columns[0].metric("Done", f"{taken:,}")
    columns[1].metric("From the cache", f"{int(row['cached'] or 0):,}")
    columns[2].metric("Cannot be taken", f"{int(row['failed'] or 0):,}")
    started, latest = (pd.to_datetime(row[name], utc=True) for name in ("started_at", "latest"))
    if row["state"] == "running" and pd.notna(latest):
        now = pd.Timestamp.now(tz="UTC")
        spent, ran = (now - started).total_seconds(), taken - int(row["cached"] or 0)
        if (now - latest).total_seconds() > QUIET_S:
            st.warning("Nothing was graded for five minutes. If the batch was stopped, the same command goes on with it.")
        elif ran > 0 and spent > 0:
            columns[3].metric("Time left, about", _ago((total - taken) * spent / ran))
    elif row["state"] == "incomplete":
        st.warning("Some submissions are still without a grade; the same command tries them again.")
    elif row["state"] == "finished":
        ended = pd.to_datetime(row["finished_at"], utc=True)
        if pd.notna(ended):
            columns[3].metric("Took", _ago((ended - started).total_seconds()))


show.alone(progress, every=2.0)
