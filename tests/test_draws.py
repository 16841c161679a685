"""What a check draws follows from its seed, whatever else is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DRAW = """
import sys
sys.path.insert(0, sys.argv[1])
if len(sys.argv) > 2:
    __import__(sys.argv[2])
import hypothesis
from hypothesis import strategies as st
from grader.checks.check import examples

drawn = []

@hypothesis.seed(7)
@examples(count=200, number=st.integers(0, 10**9), text=st.text(max_size=12), share=st.floats(0, 1))
def check(number, text, share):
    drawn.append((number, text, share))

check()
print(drawn)
"""


def test_draws_do_not_depend_on_loaded_modules(tmp_path: Path) -> None:
    """A module full of numbers and words beside the grader changes no example (Hypothesis would draw from them)."""
    (tmp_path / "beside.py").write_text(f"NUMBERS = {[9973 * n for n in range(300)]}\nWORDS = {[f'w{n}' for n in range(300)]}\n")
    alone, beside = (
        subprocess.run([sys.executable, "-c", DRAW, str(tmp_path), *extra], capture_output=True, text=True, check=True).stdout
        for extra in ((), ("beside",))
    )
    assert len(alone) > 1000
    assert alone == beside
