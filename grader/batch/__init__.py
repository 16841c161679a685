"""Grades a class: a course system's download in, a run in the store out."""
