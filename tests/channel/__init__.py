"""Tests of what crosses the trust boundary."""
