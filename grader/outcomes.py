"""How a check ends before its last line: exceptions that carry a state, a cause and feedback.

CheckFailed   an ordinary failure; hypothesis may look for a smaller example
CheckEnded    the worker is gone or nothing can be run: not an `Exception`, so that no library catches or repeats it
"""

from __future__ import annotations

from collections.abc import Sequence

from grader.results import Cause, Feedback, State


class CheckFailed(Exception):
    """A submission's answer is wrong.

    Args:
        feedback: What the student is told.
        earned: The part of the check's points that is earned all the same, 0 to 1.
        raised: The classes of the exception that the submission's function raised, its own first, where that is what went wrong.
    """

    def __init__(self, feedback: Feedback, *, earned: float = 0.0, raised: Sequence[str] = ()) -> None:
        super().__init__(feedback.summary)
        self.raised = tuple(raised)
        self.feedback = feedback
        self.earned = earned

    def retold(self, when: str, *, help: str) -> CheckFailed:
        """The same failure with words before it that say when it came, and other advice."""
        told = self.feedback
        safe = told.safe and f"{when}{told.safe}"
        return CheckFailed(Feedback(f"{when}{told.summary}", told.comparison, help, where=told.where, safe=safe))


class CheckEnded(BaseException):
    """A check cannot go on: not started, time-out, crash, out of memory, no such function, or a fault of the grader.

    Args:
        state: The check's state.
        cause: The cause's class; None for what has not been started.
        feedback: What the student is told.
        chance: Whether it may have come by chance, and is believed only when it comes twice: a crash, or a fault of the machine's.
    """

    def __init__(self, state: State, cause: Cause | None, feedback: Feedback, *, chance: bool = False) -> None:
        super().__init__(feedback.summary)
        self.state = state
        self.chance = chance
        self.cause = cause
        self.feedback = feedback
