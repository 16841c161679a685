"""The dashboard: `lab dashboard`, or `streamlit run dashboard/app.py`. Chooses who looks and which pages they have."""

from __future__ import annotations

import time
from typing import Final

import streamlit as st
from PIL import Image

from dashboard import show
from dashboard.access import Refused, Viewer
from dashboard.figure import BLUE
from dashboard.session import DoorClosed, choose_run, find_viewer

# A browser's first visit: the title is sent and painted before the browser has the charts' scripts to compile.
# (Not as a text below the constant: in the file that it runs, Streamlit writes such a text on the page.)
PAINT_S: Final = 0.15

STUDENT_PAGES = (
    ("score", "Score", ":material/checklist:"),
    ("profile", "Profile", ":material/bar_chart:"),
    ("timing", "Latency and throughput", ":material/timer:"),
    ("training", "Training", ":material/show_chart:"),
    ("pictures", "What the network sees", ":material/image:"),
    ("attempts", "Own attempts", ":material/history:"),
)
CLASS_PAGES = (
    ("standing", "Against the class", ":material/groups:"),
    ("leaderboard", "Leaderboard", ":material/trophy:"),
)
INSTRUCTOR_PAGES = (
    ("overview", "Overview", ":material/dashboard:"),
    ("items", "Item analysis", ":material/fact_check:"),
    ("submissions", "Submissions", ":material/folder_shared:"),
    ("measurements", "Timings and curves", ":material/stacked_line_chart:"),
    ("flags", "To look into", ":material/flag:"),
    ("compare", "Compare two runs", ":material/compare_arrows:"),
    ("progress", "Progress", ":material/progress_activity:"),
    ("grades", "Adjust, release, export", ":material/assignment_turned_in:"),
    ("leaderboard", "Leaderboard", ":material/trophy:"),
)


def main() -> None:
    """Draws the menu and the chosen page."""
    st.set_page_config(page_title="Deep-learning lab", page_icon=Image.new("RGB", (32, 32), BLUE), layout="wide")
    try:
        viewer = find_viewer()
    except DoorClosed as door:
        door.draw()
        return
    except Refused as error:
        st.title("Deep-learning lab", anchor=False)
        st.error("This is not yours to see.")
        st.text(str(error))
        if st.user.get("is_logged_in"):
            st.button("Log out", on_click=st.logout)
        return
    st.session_state["viewer"] = viewer
    page = st.navigation(_pages(viewer))
    st.title(page.title, anchor=False)
    if not st.session_state.setdefault("title_shown", False):
        st.session_state["title_shown"] = True
        time.sleep(PAINT_S)
    if viewer.instructor:
        show.attempt(choose_run)
    if st.user.get("is_logged_in"):
        with st.sidebar:
            st.text(viewer.name)
            st.button("Log out", on_click=st.logout)
    show.attempt(page.run)


def _pages(viewer: Viewer) -> list[st.Page]:  # type: ignore[valid-type]
    if viewer.instructor:
        chosen = INSTRUCTOR_PAGES
    elif viewer.student_id is not None:
        chosen = (*STUDENT_PAGES, *CLASS_PAGES)
    else:
        chosen = STUDENT_PAGES
    return [
        st.Page(f"app_pages/{name}.py", title=title, icon=icon, url_path=name, default=number == 0)
        for number, (name, title, icon) in enumerate(chosen)
    ]


main()
