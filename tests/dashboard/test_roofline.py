"""The roofline's names: each is drawn once, and none covers another where there is room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts.profile import PLACES, label_places

POINTS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=12)


@given(POINTS)
def test_each_name_has_a_place(points: list[tuple[float, float]]) -> None:
    """Any points, also all at one place, get a place for each name; a single one stands above its point."""
    x, y = zip(*points, strict=True)
    places = label_places(x, y, ["conv1"] * len(points))
    assert len(places) == len(points)
    assert set(places) <= PLACES.keys()
    assert places[0] == "above" or len(points) > 1


def test_neighbours_stand_apart() -> None:
    """Four points in a cluster, as convolutions of one shape are, have names on different sides; those far away stay above."""
    x = [0.0, 0.80, 0.83, 0.86, 1.0]
    y = [0.0, 0.90, 0.91, 0.90, 1.0]
    places = label_places(x, y, ["dense1", "conv6", "conv5", "conv3", "conv2"])
    assert places[0] == places[4] == "above"
    assert len(set(places[1:4])) == 3


def test_a_name_stays_off_the_line() -> None:
    """A point just below the line across the chart has its name below, where the line does not strike it through."""
    assert label_places([0.0, 1.0], [0.0, 0.95], ["conv1", "conv2"], line=1.0) == ["above", "below"]
