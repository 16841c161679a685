"""The grader of the deep-learning lab: the trusted side, the worker it talks to, and the `lab` command."""

__version__ = "0.1.0"
