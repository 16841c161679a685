"""The leaderboard: who takes part chose to, and under which name. Accuracy, and throughput against the own machine's arithmetic."""

import streamlit as st

from dashboard import changes, show
from dashboard.session import chosen_run, classroom, forget, store, viewer

who = viewer()
room = classroom()
if said := st.session_state.pop("said", ""):
    st.success(said)
if not who.instructor:
    own = room.nickname()
    st.caption("Nobody is on the leaderboard who did not choose to be, and only under the name chosen here.")
    with st.form("nickname"):
        name = st.text_input("Nickname", own, max_chars=changes.LONGEST_NICKNAME, help="Not your own name, unless you want that.")
        left, right = st.columns(2)
        join = left.form_submit_button("Take part under this name")
        leave = right.form_submit_button("Do not take part", disabled=not own)
    if join or leave:

        def choose() -> None:
            """Writes the choice and draws the page anew."""
            changes.choose_nickname(store(), who, name if join else "")
            st.session_state["said"] = "You are on the leaderboard." if join else "You are not on the leaderboard."
            forget()
            st.rerun()

        show.attempt(choose)
board = room.leaderboard(chosen_run())
if board.empty:
    st.info("Nobody takes part yet.")
    st.stop()
by = st.segmented_control("Order by", ["accuracy", "throughput"], default="accuracy", key="by", bind="query-params")
column = "validation accuracy" if by != "throughput" else "batch over online"
board = board.sort_values(column, ascending=False, ignore_index=True)
board.insert(0, "place", board[column].rank(ascending=False, method="min").astype("Int64"))
show.table(board, key="board", alt="Leaderboard with nickname, accuracy, throughput and machine")
st.caption(
    "Batch over online: throughput of the best batch size over that of one image a call, on the same machine. So a fast machine is no "
    "advantage; how well a batch uses it is."
)
