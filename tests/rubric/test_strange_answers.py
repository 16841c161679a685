"""Answers that nobody expects are failures of the submission, never of the grader."""

from __future__ import annotations

import ast
import shutil

import pytest
from conftest import SOLUTIONS

from grader.results import State

STRANGE = {
    "none": "None",
    "text": "'text'",
    "number": "7",
    "not_a_number": "float('nan')",
    "huge": "10**18",
    "empty_list": "[]",
    "list_of_nothing": "[None, [], {}]",
    "list_of_rows": "[{'path': 'x', 'label': -1, 'name': 3, 'output_shape': None, 'parameters': [], 'macs': 0.5, 'bytes': 'a'}] * 3",
    "mapping": "{'labels': None, 'confidences': 'x', 'dtype': 1, 'shape': 2, 'bytes': True}",
    "mapping_of_arrays": "{'labels': np.zeros((2, 2)), 'confidences': np.array(1.0), 'dtype': [], 'shape': {}, 'bytes': np.nan}",
    "images_of_nan": "np.full((64, 64, 3), np.nan, np.float32)",
    "empty_array": "np.zeros((0, 3))",
    "scalar_array": "np.array(3)",
    "bool_array": "np.ones(4, bool)",
    "text_array": "np.array(['a', 'b'])",
    "half": "np.ones((64, 64, 3), np.float16)",
    "function": "len",
    "generator": "(x for x in [(np.zeros((2, 64, 64, 3), np.float32), np.array([0.5, 1.0]))])",
    "dataset_of_numbers": "tf.data.Dataset.range(5)",
    "dataset_of_pairs": "tf.data.Dataset.from_tensors((tf.fill((2, 64, 64, 3), np.nan), tf.constant([0, 1])))",
    "dataset_of_text": "tf.data.Dataset.from_tensors((tf.constant(['a', 'b']), tf.constant([0, 1])))",
    "dataset_of_nothing": "tf.data.Dataset.from_tensor_slices((tf.zeros((0, 64, 64, 3)), tf.zeros((0,), tf.int32))).batch(4)",
    "small_model": "keras.Sequential([keras.Input((64, 64, 3)), keras.layers.Flatten(name='conv1')])",
}


@pytest.mark.parametrize("value", STRANGE.values(), ids=STRANGE)
def test_strange_answers_are_the_submissions_fault(graded, tmp_path, value):
    """Every function gives the same odd value: no check ends undecided, and none but those without a function is passed."""
    folder = tmp_path / "strange"
    folder.mkdir()
    for module in ("data.py", "model.py"):
        text = (SOLUTIONS / module).read_text(encoding="utf-8")
        names = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
        functions = "\n".join(f"def {name}(*args, **kwargs):\n    return {value}\n" for name in names)
        (folder / module).write_text(f"{text}\nimport keras\nimport tensorflow as tf\n{functions}", encoding="utf-8")
    shutil.copyfile(SOLUTIONS / "findings.toml", folder / "findings.toml")
    result = graded(folder, "test_data.py or test_model.py")
    undecided = {check.name: check.feedback.summary for check in result.checks if check.state is State.UNDECIDED}
    assert undecided == {}
    assert {check.name for check in result.checks if check.earned} <= {"model/findings"}
