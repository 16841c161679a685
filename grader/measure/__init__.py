"""`lab measure`: runs a student's functions on the real data and machine, and writes results/."""

from grader.measure.run import measure

__all__ = ["measure"]
