"""The queueing simulation against what is known without one."""

from __future__ import annotations

import importlib.util
import math
import random
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

FILE = Path(__file__).parents[1] / "benchmarks" / "cluster_model.py"
spec = importlib.util.spec_from_file_location("cluster_model", FILE)
model = importlib.util.module_from_spec(spec)
sys.modules["cluster_model"] = model
spec.loader.exec_module(model)

FREE = {"start_s": 0.0, "send_s": 0.0, "store_s": 0.0, "job_bytes": 0.0, "death": 0.0}


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_waiting_agrees_with_pollaczek_and_khinchine(load: float):
    """One grader and Poisson arrivals: the mean wait is load * service * (1 + cv^2) / (2 (1 - load)), plus the service itself."""
    figures = model.Figures(service_s=10.0, spread=0.5, graders=1, **FREE)
    chance = random.Random(1)
    arrivals, now = [], 0.0
    for _ in range(60_000):
        now += chance.expovariate(load / 10.0)
        arrivals.append(now)
    outcome = model.simulate(figures, 1, arrivals)
    expected = 10.0 + load * 10.0 * (1 + 0.5**2) / (2 * (1 - load))
    assert sum(outcome.waits_s) / len(outcome.waits_s) == pytest.approx(expected, rel=0.05)
    assert outcome.share("graders") == pytest.approx(load, rel=0.03)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 200))
def test_equal_services_take_whole_rounds(machines: int, graders: int, count: int):
    """Submissions that all take the same time are done in ceil(count / graders) rounds."""
    figures = model.Figures(service_s=7.0, spread=0.0, graders=graders, **FREE)
    outcome = model.simulate(figures, machines, model.at_once(count))
    assert outcome.ended_s == pytest.approx(7.0 * math.ceil(count / (machines * graders)))
    assert len(outcome.waits_s) == count


@pytest.mark.parametrize("part", ["send_s", "store_s"])
def test_a_serial_part_bounds_the_whole(part: str):
    """With graders in plenty, a class takes as long as the one thing that works one after the other."""
    figures = model.Figures(service_s=1.0, spread=0.0, graders=8, **{**FREE, part: 0.5})
    outcome = model.simulate(figures, 50, model.at_once(1000))
    assert outcome.ended_s == pytest.approx(500.0, rel=0.01)


def test_a_dead_grader_loses_nothing():
    """Every submission is done once, however many graders died on the way."""
    figures = model.Figures(service_s=2.0, graders=2, **{**FREE, "death": 0.3})
    outcome = model.simulate(figures, 2, model.at_once(300))
    assert len(outcome.waits_s) == 300
    assert outcome.graded > 330


def test_arrivals_double_every_four_hours():
    """Half of a class arrives in the last four hours before the deadline."""
    arrivals = model.towards_a_deadline(20_000)
    late = sum(moment > 44 * 3600 for moment in arrivals)
    assert late / len(arrivals) == pytest.approx(0.5, abs=0.02)
    assert arrivals == sorted(arrivals)
    assert 0 <= arrivals[0] <= arrivals[-1] <= 48 * 3600
