"""Tests of a whole class."""
