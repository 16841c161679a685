"""Tests of the trusted side with real workers."""
