"""Answers that nobody expects are failures of the submission, never of the grader."""

from __future__ import annotations

import ast
import shutil

import pytest
from conftest import SOLUTIONS

from grader.results import Cause, State

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


TOOLS = "from grader.worker.tools.registry import TOOLS\n"
AIMED = {
    "real-time signal": ("model/conv_output_size", "import signal\ndef conv_output_size(*_, **__):\n    signal.raise_signal(40)\n"),
    "batch of none": (
        "data/pipeline_in_order",
        "def make_dataset(*_, **__):\n    return tf.data.Dataset.from_tensors((tf.zeros((0, 64, 64, 3)), tf.zeros((0,), tf.int32)))\n",
    ),
    "batch of millions": (
        "data/pipeline_shuffled",
        "def make_dataset(*_, **__):\n    return tf.data.Dataset.from_tensors((np.zeros(1, np.float32), np.zeros(3_000_000, np.uint16)))\n",
    ),
    "names that are arrays": (
        "model/layer_table",
        "def layer_table(model):\n    return [LayerRow(np.zeros(2), (1,), 0, 0, 0) for _ in range(len(model.layers) + 1)]\n",
    ),
    "text that grows": ("data/class_counts", "def class_counts(*_):\n    return ['a' * 10**6] + [''] * 900_000\n"),
    "nothing, very long": (
        "data/image_facts",
        "def image_facts(image):\n    return ImageFacts(np.zeros((2**40, 0), np.uint8), image.shape, image.nbytes)\n",
    ),
    "nothing, rather long": (
        "data/image_facts",
        "def image_facts(image):\n    return ImageFacts(np.zeros((900_000, 0), np.uint8), image.shape, image.nbytes)\n",
    ),
    "arrays to write out": (
        "data/image_facts",
        "def image_facts(image):\n    return ImageFacts([np.array(0.1234567890123)] * 450_000, image.shape, image.nbytes)\n",
    ),
    "calls that nobody waits for": (
        "timing/online_loop",
        "def time_online(predict, images, *, warmup=3, clock=time.perf_counter):\n"
        "    for _ in range(3000):\n        predict(images[:1])\n    clock(), clock()\n",
    ),
    "trace with a name that is no text": (
        "profiling/capture_trace",
        "import os\n"
        "def capture_trace(predict, image, log_dir, *, warmup=3):\n"
        "    for _ in range(warmup + 1):\n        np.asarray(predict(image[np.newaxis]))\n"
        "    os.makedirs(log_dir, exist_ok=True)\n"
        "    with open(os.fsencode(str(log_dir)) + b'/\\x1b[2J\\xff.xplane.pb', 'wb') as file:\n        file.write(b'none')\n",
    ),
    "model in lists": ("training/accuracy", "build_model = lambda classes=200: eval('[' * 23 + '1' + ']' * 23)\n"),
    "no classes": (
        "training/accuracy",
        f"{TOOLS}TOOLS['outputs'] = lambda model, images: np.zeros((len(images), 0), np.float32)\n"
        "def predict_classes(model, images):\n    raise NotImplementedError\n",
    ),
    "endless epochs": (
        "training/train_stops",
        f"{TOOLS}_state, _train = TOOLS['training_state'], train\n"
        "TOOLS['training_state'] = lambda model: {**_state(model), 'epochs_run': float('inf')}\n",
    ),
    "weights of no epoch": (
        "training/train_restores",
        f"{TOOLS}_state, _train = TOOLS['training_state'], train\n"
        "TOOLS['training_state'] = lambda model: {**_state(model), 'epoch_of_weights': float('nan')}\n",
    ),
    "no weights": ("training/train_learns", f"{TOOLS}TOOLS['weights'] = lambda model: []\n"),
    "weights without shape": ("training/train_learns", f"{TOOLS}TOOLS['weights'] = lambda model: [np.array(1.0)]\n"),
    # A mistake that costs a part of the points stands in front of one that costs them all.
    "no maps, and no errors": (
        "model/feature_maps",
        "def feature_maps(model, images, layer_names):\n    return dict.fromkeys(layer_names, 0)\n",
    ),
    "fixed buffer, and no seed": (
        "data/pipeline_shuffled",
        "def make_dataset(examples, batch_size, *, shuffle, seed=0):\n"
        "    files = tf.data.Dataset.from_tensor_slices(([one.path for one in examples], [one.label for one in examples]))\n"
        "    files = files.shuffle(5000) if shuffle else files\n"
        "    return files.map(lambda path, label: (decode_image(tf.io.read_file(path)), label)).batch(batch_size)\n",
    ),
    "short lists turned, and no errors": (
        "data/label_map",
        "_map = load_label_map\n"
        "def load_label_map(root):\n"
        "    if not (root / 'wnids.txt').is_file():\n        return {}\n"
        "    found = _map(root)\n"
        "    return found if len(found) > 99 else {wnid: len(found) - 1 - label for wnid, label in found.items()}\n",
    ),
    "other losses, and histories that grow": (
        "training/train_stops",
        "_train, _kept = train, {}\n"
        "def train(*args, **kwargs):\n"
        "    for name, values in _train(*args, **kwargs).items():\n"
        "        _kept.setdefault(name, []).extend(value - 0.05 * (name == 'loss') for value in values)\n"
        "    return {name: list(values) for name, values in _kept.items()}\n",
    ),
}
"""Answers aimed at a check of ours, which went wrong with them: check, and what is laid over the reference."""


@pytest.mark.parametrize(("check", "source"), AIMED.values(), ids=AIMED)
def test_answers_that_are_aimed_at_a_check_fail_in_it(graded, reference, tmp_path, check, source):
    """The check fails, and its result can be written: a submission cannot make the grader say that it is itself at fault."""
    section, _, name = check.partition("/")
    folder = shutil.copytree(reference, tmp_path / "aimed")
    module = "model.py" if "build_model" in source or "predict_classes" in source else f"{section}.py"
    with (folder / module).open("a", encoding="utf-8") as file:
        file.write(f"\n\nimport tensorflow as tf\n{source}")
    result = graded(folder, f"{section} and {name}")
    (found,) = (one for one in result.checks if one.name == check)
    assert found.state is State.FAILED, found.feedback
    assert result.to_json().encode()


def test_looking_at_an_answer_takes_only_so_long(graded, reference, monkeypatch):
    """What takes our own process longer than it may is a failure of the submission's, and the next check runs."""
    monkeypatch.setattr("grader.checks.plugin.OWN_CPU_S", 0.02)
    (found,) = graded(reference, "architecture").checks
    assert (found.state, found.cause) == (State.FAILED, Cause.TIME_OUT)
    monkeypatch.undo()
    (found,) = graded(reference, "architecture").checks
    assert found.state is State.PASSED
