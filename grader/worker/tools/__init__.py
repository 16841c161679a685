"""What the trusted side may do in a worker besides calling the submission: build models, read data sets, run networks.

Tools run beside hostile code, so nothing they say is trusted more than the submission itself.
"""

from grader.worker.tools.registry import TOOLS

__all__ = ["TOOLS"]
