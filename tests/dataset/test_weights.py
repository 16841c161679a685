"""What ships with the package: the weights of the 200-class network, and the contact sheet."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from grader.dataset import weights
from grader.dataset.sheet import contact_sheet
from grader.dataset.weights import pretrained_weights
from grader.errors import DataError

SHAPES = [
    *((5, 5, 3, 32), (32,), (5, 5, 32, 32), (32,)),
    *((3, 3, 32, 64), (64,), (3, 3, 64, 64), (64,)),
    *((3, 3, 64, 64), (64,), (3, 3, 64, 128), (128,)),
    *((2048, 256), (256,), (256, 200), (200,)),
]


def test_the_weights_are_those_of_the_labs_network() -> None:
    """Sixteen float32 arrays in the order of get_weights(), 770,216 finite parameters, trained (biases are no longer zero)."""
    arrays = load_file(pretrained_weights())
    assert sorted(arrays) == [f"{n:03d}" for n in range(16)]
    ordered = [arrays[key] for key in sorted(arrays)]
    assert [array.shape for array in ordered] == SHAPES
    assert all(array.dtype == np.float32 and np.isfinite(array).all() for array in ordered)
    assert sum(array.size for array in ordered) == 770_216
    assert all(array.any() for array in ordered if array.ndim == 1)


def test_missing_weights_are_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation without the file says which one, and how to get it."""
    monkeypatch.setattr(weights, "WEIGHTS_FILE", tmp_path / "none.safetensors")
    with pytest.raises(DataError, match="install the package again, or make them with"):
        pretrained_weights()


def test_the_sheet_is_small_and_holds_all_classes() -> None:
    """The handout's picture is below 200 kB, and every tile in it has a shape: no tile is of one colour."""
    sheet = contact_sheet()
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    assert len(buffer.getvalue()) < 200_000
    pixels = np.asarray(sheet.convert("RGB"), dtype=int)
    for row in range(10):
        for column in range(20):
            tile = pixels[40 + 48 * row :][:48, 78 + 48 * column :][:, :48]
            assert tile.std(axis=(0, 1)).max() > 8, (row, column)


def test_the_floor_needs_no_tensorflow() -> None:
    """Nothing of the data-set floor imports TensorFlow or Keras: the trusted side does without."""
    script = (
        "import sys, pkgutil, importlib, grader.dataset\n"
        "for module in pkgutil.walk_packages(grader.dataset.__path__, 'grader.dataset.'): importlib.import_module(module.name)\n"
        "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
