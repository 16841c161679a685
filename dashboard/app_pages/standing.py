"""A student's own figures against others on the same kind of machine, without names."""

import streamlit as st

from dashboard import show
from dashboard.charts import classroom as charts
from dashboard.queries import FEWEST_PEERS
from dashboard.session import classroom

own, others = classroom().peers()
BETTER = {"latency of one image, ms": "lower"}
if own.empty:
    st.info("Nothing of yours was given back with measurements yet.")
    st.stop()
st.caption("Only submissions measured on the same CPU, with as many cores and the same TensorFlow, and never with a name.")
for measure, value in own.itertuples(index=False):
    rest = others[others["measure"] == measure]["value"]
    if len(rest) < FEWEST_PEERS:
        st.info(f"{measure.capitalize()}: fewer than {FEWEST_PEERS} others measured on your kind of machine, so nothing is compared.")
        continue
    show.figure(charts.standing(float(value), rest, measure, BETTER.get(measure, "higher")))
