"""Tests of the data-set floor."""
