"""What leaves the course's own repository: what students get, and what runs the grader in a course system."""

from __future__ import annotations

from grader.release.classroom import write_classroom
from grader.release.gradescope import write_gradescope
from grader.release.student import write_release

__all__ = ["write_classroom", "write_gradescope", "write_release"]
