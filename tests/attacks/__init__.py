"""Attacks on the grader: what cheats do, tried for real."""
