"""The weights that ship with the package: the lab's CNN, trained on the embedded data set."""

from pathlib import Path
from typing import Final

from grader.errors import DataError

WEIGHTS_FILE: Final = Path(__file__).parent / "embedded-200.safetensors"
"""Keys "000", "001", ... in the order of `model.get_weights()`, float32."""


def pretrained_weights() -> Path:
    """The file with the weights of the lab's CNN for the embedded set's 200 classes.

    They come from `benchmarks/make_weights.py`; docs/data.md says how good they are.

    Returns:
        The path of a safetensors file: keys "000", "001", ... in the order of `model.get_weights()`, float32.

    Raises:
        DataError: the package was installed without it.
    """
    if not WEIGHTS_FILE.is_file():
        raise DataError(
            f"The weights that ship with the package are missing: expected {WEIGHTS_FILE}; "
            "install the package again, or make them with `python benchmarks/make_weights.py`."
        )
    return WEIGHTS_FILE
