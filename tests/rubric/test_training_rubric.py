"""The rubric of training on known submissions: the reference and other right ones earn all, each wrong one loses what it should."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SOLUTIONS, STUBS, Grade, chaffs, documented, lost, told, wheats
from safetensors.numpy import save_file

from grader.artifacts import read_weights
from grader.bank import Entry, touched
from grader.checks import oracle
from grader.dataset.make import held_out
from grader.dataset.weights import pretrained_weights
from grader.lab import FINDINGS_FILE, IMAGE_SHAPE, SECTION_POINTS
from grader.results import CheckResult, State
from grader.rubric import stopping_rules
from grader.rubric import test_training as rubric
from grader.rubric.copies import COPY_ALL, COPY_FIRST, COPY_MAPS, likeness, same_maps, see, turned
from grader.rubric.own_training import in_order
from grader.rubric.scripted_training import restoring

MEASURED = (SOLUTIONS / "results").is_dir()
"""Whether the reference has been measured; until then its accuracy cannot be graded."""

Change = Callable[[dict[str, Any]], None]


def only(graded: Grade, folder: Path | Entry, check: str) -> CheckResult:
    """Grades one check."""
    (result,) = graded(folder, f"training and {check}").checks
    return result


@pytest.fixture
def copy(reference: Path, tmp_path: Path) -> Path:
    """The reference in a folder that a test may change."""
    return Path(shutil.copytree(reference, tmp_path / "copy"))


def change(folder: Path, edit: Change) -> None:
    """Edits results/training.json."""
    file = folder / "results" / "training.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    edit(document)
    file.write_text(json.dumps(document), encoding="utf-8")


def answer(folder: Path, key: str, value: str) -> None:
    """Writes another finding."""
    file = folder / FINDINGS_FILE
    text, count = re.subn(rf"^{key} = .*$", f"{key} = {value}", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert count == 1
    file.write_text(text, encoding="utf-8")


def refused(graded: Grade, folder: Path, words: str) -> None:
    """Asks that the check on the weights earns nothing, and that its summary has some words."""
    check = only(graded, folder, "accuracy")
    assert check.earned == 0
    assert check.feedback is not None
    assert words in check.feedback.summary


def with_code(folder: Path, source: str) -> None:
    """Adds code at the end of model.py."""
    with (folder / "model.py").open("a", encoding="utf-8") as file:
        file.write(f"\n\n{source}")


def weigh(folder: Path, weights: list[np.ndarray], correct: int, total: int) -> None:
    """Writes weights, and what training.json claims of them."""
    save_file({f"{number:03d}": array for number, array in enumerate(weights)}, folder / "results" / "weights.safetensors")

    def claim(document: dict[str, Any]) -> None:
        document["main"]["val_correct"], document["main"]["val_total"] = correct, total

    change(folder, claim)


def noisy(amount: float) -> list[np.ndarray]:
    """The shipped weights with noise on every kernel."""
    return with_noise(read_weights(pretrained_weights()), amount)


def weak() -> list[np.ndarray]:
    """The reference's own weights with so much noise that they see little."""
    return with_noise(read_weights(SOLUTIONS / "results" / "weights.safetensors"), 0.6)


def with_noise(weights: list[np.ndarray], amount: float) -> list[np.ndarray]:
    """Weights with noise on every kernel, in parts of its deviation."""
    rng = np.random.default_rng(0)
    return [
        array + (amount * array.std() * rng.normal(size=array.shape)).astype(np.float32) if array.ndim > 1 else array for array in weights
    ]


def with_dead_filters(weights: list[np.ndarray]) -> list[np.ndarray]:
    """The same network but for two filters of conv1: they never fire, and what would read them is noise that hides the rest."""
    rng, dead = np.random.default_rng(0), [3, 7]
    changed = [array.copy() for array in weights]
    changed[0][..., dead] = rng.normal(0, 0.1, changed[0][..., dead].shape)
    changed[1][dead] = -1e4
    changed[2][:, :, dead] = rng.normal(0, 50, changed[2][:, :, dead].shape)
    return changed


def behind_constants(weights: list[np.ndarray]) -> list[np.ndarray]:
    """The same network, with a filter of each layer that never fires made a constant, which the next layer reads and its bias undoes."""
    rng, changed = np.random.default_rng(5), [array.copy() for array in weights]
    pictures, _ = held_out(b"pictures of our own", 4)
    outputs = oracle.run(oracle.lab_network(), in_order(weights), pictures / 255.0)
    for place, name in enumerate(list(in_order(weights))[:-1]):
        dead = int(outputs[name].reshape(-1, outputs[name].shape[-1]).max(axis=0).argmin())
        kernel, bias, following, undone = changed[2 * place : 2 * place + 4]
        kernel[..., dead], bias[dead] = 0.0, 1.0
        rows = following.reshape(-1, len(bias), following.shape[-1])
        rows[:, dead] = rng.normal(0, 8 * following.std() * np.sqrt(len(bias)), rows[:, dead].shape)
        undone -= rows[:, dead].sum(axis=0)
    return changed


def overflowing(weights: list[np.ndarray]) -> list[np.ndarray]:
    """Weights whose outputs no number can hold."""
    return [array * np.float32(1e36) if array.ndim > 1 else array for array in weights]


def test_section_is_worth_its_points(graded: Grade) -> None:
    """The checks add up to the section's points, and each has a title of its own."""
    result = graded(STUBS, "training")
    assert result.points == SECTION_POINTS
    assert len({check.title for check in result.checks}) == len(result.checks)
    assert [check.name.partition("/")[2] for check in result.checks] == [
        "early_stopping",
        "train_stops",
        "train_restores",
        "train_repeats",
        "train_learns",
        "sweep",
        "epochs_needed",
        "accuracy",
        "findings",
    ]


def test_stubs_are_not_started(graded: Grade) -> None:
    """The untouched stubs read as not started in every check, never as wrong."""
    result = graded(STUBS, "training")
    assert result.checks
    assert {check.state for check in result.checks} == {State.NOT_STARTED}
    assert result.score == 0


def test_reference_earns_all(graded: Grade, reference: Path) -> None:
    """The reference loses nothing that could be measured."""
    missing = [] if MEASURED else ["training/accuracy"]
    assert [*lost(graded(reference, "training"))] == missing


def test_grade_is_the_same_each_time(graded: Grade) -> None:
    """The same submission gets the same verdict and the same words: the losses are scripted from the run's seed."""
    entry = next(parameter.values[0] for parameter in chaffs("training") if parameter.id == "06_best_weights_not_restored")
    first, second = (only(graded, entry, "train_restores") for _ in range(2))
    assert (first.state, first.earned, first.feedback) == (second.state, second.earned, second.feedback)


@pytest.mark.parametrize("entry", wheats("model", "training"))
def test_other_right_solutions_earn_all(graded: Grade, entry: Entry) -> None:
    """Solutions that are right but written differently lose nothing; the reference's model is not asked for labels again."""
    own_model = any(place.startswith("model.py") for place in touched(entry))
    result = graded(entry, "training" if own_model else "training and not accuracy")
    missing = set() if MEASURED else {"training/accuracy"}
    assert lost(result).keys() <= missing, {name: check.feedback for name, check in lost(result).items()}


@pytest.mark.parametrize("entry", chaffs("training"))
def test_wrong_solutions_lose_their_check(graded: Grade, entry: Entry) -> None:
    """Each wrong solution loses points in its check, and is told its mistake by name."""
    result = graded(entry, f"training and {entry.check.partition('/')[2]}")
    (check,) = (check for check in result.checks if check.name == entry.check)
    assert check.earned < check.points
    assert check.state in (State.FAILED, State.PARTIAL)
    assert check.feedback is not None
    for word in entry.words:
        assert word in told(check.feedback), check.feedback
    assert documented(entry, check)


def test_callback_reuse_costs_one_check(graded: Grade) -> None:
    """A callback that is used again costs the check that is about it and no other: runs are judged alone where they differ."""
    (entry,) = (parameter.values[0] for parameter in chaffs("training") if parameter.values[0].name == "06_callback_reused")
    assert lost(graded(entry, "train_stops or train_restores or train_repeats")).keys() == {"training/train_repeats"}


# --- findings


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda d: d["main"]["history"]["loss"].pop(), "different lengths"),
        (lambda d: d["main"].update(epoch_limit=5), "more epochs than its limit"),
        (lambda d: d["main"].update(patience=5), "did not end where early stopping ends it"),
        (lambda d: d["main"]["history"]["val_loss"].__setitem__(slice(3), [5.1, 5.2, 5.3]), "it ends after epoch 3"),
        (lambda d: d["sweep"].pop(), "sweep is not complete"),
        (lambda d: d["sweep"].append(d["sweep"][0]), "sweep is not complete"),
        (lambda d: d["sweep"][0].update(epochs_run=99), "a run of the sweep has more epochs"),
    ],
    ids=["lengths", "limit", "patience", "too long", "missing run", "run twice", "run past its limit"],
)
def test_training_file_must_agree_with_itself(graded: Grade, copy: Path, edit: Change, words: str) -> None:
    """A training.json whose numbers cannot belong together loses a part of the points, with the reason."""
    change(copy, edit)
    check = only(graded, copy, "findings")
    assert check.earned < check.points
    assert check.feedback is not None
    assert words in told(check.feedback)


def _needed(folder: Path) -> tuple[int, int]:
    accuracies = json.loads((folder / "results" / "training.json").read_text())["main"]["history"]["val_accuracy"]
    return stopping_rules.reach(accuracies, 0.01), int(np.argmax(accuracies)) + 1


def test_wrong_epochs_needed_is_named(graded: Grade, copy: Path) -> None:
    """An epoch counted from 0, and the best epoch where an earlier one will do, are named."""
    change(copy, lambda d: d["main"]["history"].update(val_accuracy=[0.02, 0.07, 0.12, 0.16, 0.219, 0.225, 0.224, 0.222]))
    change(copy, lambda d: [row.pop() for row in d["main"]["history"].values() if len(row) > 8])
    needed, best = _needed(copy)
    assert (needed, best) == (5, 6)
    for value, words in ((4, "counted from 0"), (6, "best accuracy"), (2, "does not follow")):
        answer(copy, "epochs_needed", str(value))
        check = only(graded, copy, "findings")
        assert check.earned < check.points
        assert check.feedback is not None
        assert words in told(check.feedback)


def test_larger_limit_is_held_against_the_sweep(graded: Grade, copy: Path) -> None:
    """The other truth value loses its part; where the sweep decides nothing, both are right."""
    found = re.search(r"^larger_limit_changes = (\w+)$", (copy / FINDINGS_FILE).read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    other = {"true": "false", "false": "true"}[found[1]]
    answer(copy, "larger_limit_changes", other)
    check = only(graded, copy, "findings")
    assert check.state is State.PARTIAL
    assert check.feedback is not None
    assert "larger_limit_changes" in check.feedback.summary
    change(copy, lambda d: [run.update(epochs_run=run["epoch_limit"]) for run in d["sweep"]])
    assert only(graded, copy, "findings").earned == check.points


def test_unanswered_findings_keep_the_rest(graded: Grade, copy: Path) -> None:
    """A question mark costs its own part only."""
    answer(copy, "epochs_needed", '"?"')
    check = only(graded, copy, "findings")
    assert 0 < check.earned < check.points
    assert check.feedback is not None
    assert "not started yet" in told(check.feedback)


# --- accuracy


def test_accuracy_earns_in_proportion(graded: Grade, copy: Path) -> None:
    """A network that recognises something earns a part in tenths of a point, the same each time."""
    weigh(copy, weak(), 160, 1000)
    first, second = (only(graded, copy, "accuracy") for _ in range(2))
    assert first.state is State.PARTIAL
    assert 0 < first.earned < first.points
    assert first.earned * 10 == pytest.approx(round(first.earned * 10))
    assert first.earned == second.earned


def test_shipped_weights_earn_nothing(graded: Grade, copy: Path) -> None:
    """The weights that ship with the package are recognised, also with noise, and with filters that do nothing."""
    for weights, correct in ((noisy(0.0), 920), (noisy(0.05), 915), (noisy(0.7), 110), (with_dead_filters(noisy(0.0)), 900)):
        weigh(copy, weights, correct, 1000)
        refused(graded, copy, "ship with the package")
    hidden = behind_constants(noisy(0.0))
    pictures = held_out(b"others", 4)[0] / 255.0
    assert float(np.median(likeness(see(in_order(hidden), pictures), see(in_order(noisy(0.0)), pictures)))) < COPY_ALL
    weigh(copy, hidden, 920, 1000)
    refused(graded, copy, "ship with the package")


def test_weights_that_overflow_are_refused(graded: Grade, copy: Path) -> None:
    """What cannot be compared with the shipped weights is no copy and no training either."""
    weigh(copy, overflowing(weak()), 160, 1000)
    refused(graded, copy, "not finite")


def test_claimed_accuracy_must_be_reproduced(graded: Grade, copy: Path) -> None:
    """An accuracy in training.json that the weights do not have earns nothing, with both numbers side by side."""
    weigh(copy, weak(), 600, 1000)
    check = only(graded, copy, "accuracy")
    assert check.earned == 0
    assert check.feedback is not None
    assert "not reproduced" in check.feedback.summary
    assert "600/1000" in told(check.feedback)


def test_weights_of_another_network_are_named(graded: Grade, copy: Path) -> None:
    """Weights that do not fit build_model() are the student's to mend, not the grader's."""
    weigh(copy, weak()[:-2], 160, 1000)
    check = only(graded, copy, "accuracy")
    assert check.state is State.FAILED
    assert check.feedback is not None
    assert "does not fit build_model()" in check.feedback.summary


def test_labels_must_come_from_these_weights(graded: Grade, copy: Path) -> None:
    """A predict_classes that uses another network than the one it is given is found out by labels worked out on the trusted side."""
    weigh(copy, weak(), 920, 1000)
    with_code(
        copy,
        "def predict_classes(model, images):\n"
        "    model.set_weights([*model.get_weights()[:-2], *(-values for values in model.get_weights()[-2:])])\n"
        "    output = model.predict(images, verbose=0)\n"
        "    return Predictions(output.argmax(axis=1), output.max(axis=1))\n",
    )
    refused(graded, copy, "does not give the labels of the network")


def test_untrained_weights_and_another_classifier_earn_nothing(graded: Grade, copy: Path) -> None:
    """Weights whose classes are all but equal do not stand behind labels that come from elsewhere."""
    untrained = [(0.05 * array).astype(np.float32) for array in weak()]
    weigh(copy, untrained, 900, 1000)
    with_code(
        copy,
        "def predict_classes(model, images):\n"
        "    labels = (images.mean(axis=(1, 2, 3)) * 1000).astype(int) % 200\n"
        "    return Predictions(labels, np.ones(len(images), np.float32))\n",
    )
    refused(graded, copy, "many classes equally probable")


def test_weights_in_another_form_are_not_taken(graded: Grade, copy: Path) -> None:
    """The shipped weights as one flat array, which the model itself takes apart, are no way round the look at them."""
    weigh(copy, [np.concatenate([array.ravel() for array in noisy(0.0)])], 920, 1000)
    with_code(
        copy,
        "_build = build_model\n"
        "def build_model(*args, **kwargs):\n"
        "    model = _build(*args, **kwargs)\n"
        "    parts, take = model.get_weights, model.set_weights\n"
        "    def split(given):\n"
        "        sizes = [part.size for part in parts()]\n"
        "        pieces = np.split(given[0], np.cumsum(sizes)[:-1])\n"
        "        take([piece.reshape(part.shape) for piece, part in zip(pieces, parts())])\n"
        "    model.set_weights = split\n"
        "    model.get_weights = lambda: [np.concatenate([part.ravel() for part in parts()])]\n"
        "    return model\n",
    )
    refused(graded, copy, "does not hold the weights of the lab's network")


def test_layers_made_in_another_order_keep_their_weights(graded: Grade, copy: Path) -> None:
    """A subclassed model that makes conv5 before conv4, which have the same shapes: the file follows its order, the points stay."""
    weights = read_weights(SOLUTIONS / "results" / "weights.safetensors")
    weights[6:10] = [*weights[8:10], *weights[6:8]]
    main = json.loads((copy / "results" / "training.json").read_text())["main"]
    weigh(copy, weights, main["val_correct"], main["val_total"])
    with_code(
        copy,
        "_build = build_model\n"
        "class Turned(keras.Model):\n"
        "    def __init__(self, layers):\n"
        "        super().__init__()\n"
        "        self.way = [layer.name for layer in layers]\n"
        "        for layer in sorted(layers, key=lambda layer: (4.5 if layer.name == 'conv4' else self.way.index(layer.name)\n"
        "                                                      - (2 if layer.name == 'conv5' else 0))):\n"
        "            setattr(self, layer.name, layer)\n"
        "    def call(self, value):\n"
        "        for name in self.way:\n"
        "            value = getattr(self, name)(value)\n"
        "        return value\n"
        "def build_model(*args, **kwargs):\n"
        "    model = Turned([layer for layer in _build(*args, **kwargs).layers if 'input' not in layer.name])\n"
        "    model(np.zeros((1, 64, 64, 3), np.float32))\n"
        "    return model\n",
    )
    check = only(graded, copy, "accuracy")
    assert check.earned == check.points, check.feedback


def test_accuracy_does_not_need_predict_classes(graded: Grade, copy: Path) -> None:
    """Where predict_classes is not started, the network's own outputs are taken; where it is wrong, the student is sent to its section."""
    weigh(copy, weak(), 160, 1000)
    expected = only(graded, copy, "accuracy").earned
    with_code(copy, "def predict_classes(model, images):\n    raise NotImplementedError\n")
    assert only(graded, copy, "accuracy").earned == expected > 0
    with_code(copy, "def predict_classes(model, images):\n    return Predictions(np.zeros(1, np.int64), np.ones(1, np.float32))\n")
    refused(graded, copy, "wrong length")
    feedback = only(graded, copy, "accuracy").feedback
    assert feedback is not None
    assert "section 2" in feedback.help


def test_likeness_does_not_depend_on_order() -> None:
    """A copy with its channels in another order is as like as the original; other weights are not."""
    rng = np.random.default_rng(1)
    shipped = read_weights(pretrained_weights())
    moved, partner = [array.copy() for array in shipped], None
    for place in range(0, len(moved) - 2, 2):
        kernel = moved[place]
        if partner is not None:
            parts = kernel.reshape(*kernel.shape[:-2], kernel.shape[-2] // len(partner), len(partner), kernel.shape[-1])
            kernel = parts[..., partner, :].reshape(kernel.shape)
        partner = rng.permutation(kernel.shape[-1])
        moved[place], moved[place + 1] = kernel[..., partner], moved[place + 1][partner]
    moved[-2] = moved[-2][partner]
    images = rng.random((2, *IMAGE_SHAPE))
    ours, original, others = (see(in_order(weights), images) for weights in (moved, shipped, weak()))
    assert min(likeness(ours, original)) == pytest.approx(1)
    assert max(likeness(others, original)) < 0.5


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("quarters", range(4))
def test_turned_and_mirrored_weights_are_a_copy(quarters: int, mirrored: bool) -> None:
    """A network whose filters are all turned sees turned pictures as the other one sees the pictures: it is the same, and is told to be."""
    shipped = in_order(read_weights(pretrained_weights()))
    kernels = turned({name: arrays[0] for name, arrays in shipped.items()}, quarters, mirrored)
    copy = {name: [kernels[name], *arrays[1:]] for name, arrays in shipped.items()}
    images = np.random.default_rng(3).random((2, *IMAGE_SHAPE))
    lying = np.ascontiguousarray(np.rot90(images[:, :, ::-1] if mirrored else images, quarters, axes=(1, 2)))
    original = see(shipped, images)
    np.testing.assert_allclose(see(copy, lying).outputs["dense2"], original.outputs["dense2"], atol=1e-9)
    found = likeness(see(copy, images), original)
    assert found[0] > COPY_FIRST
    assert np.median(found) > COPY_ALL
    assert min(same_maps(see(copy, images), original)) == pytest.approx(1)
    assert np.median(same_maps(see(in_order(weak()), images), original)) < COPY_MAPS


def test_likeness_does_not_depend_on_scales_between_layers() -> None:
    """Each filter as many times larger as what reads it is smaller: the same network, and as like as itself."""
    rng = np.random.default_rng(2)
    shipped = read_weights(pretrained_weights())
    scaled = [array.astype(np.float64) for array in shipped]
    for place in range(0, len(scaled) - 2, 2):
        factors = np.exp(rng.normal(0, 1.5, scaled[place].shape[-1]))
        scaled[place] *= factors
        scaled[place + 1] *= factors
        following = scaled[place + 2]
        following /= np.tile(factors, following.shape[-2] // len(factors))[:, None]
    images = rng.random((2, *IMAGE_SHAPE))
    assert min(likeness(see(in_order(scaled), images), see(in_order(shipped), images))) == pytest.approx(1)


# --- the rules


def test_wrong_rules_differ_on_the_battery() -> None:
    """On the cases that name a mistake, every wrong rule differs from the right one and from every other, so that a name is never wrong."""
    cases = rubric._BATTERY
    answers = [tuple(rule.gives(*case) for case in cases) for rule in stopping_rules.WRONG_STOPS]
    assert tuple(stopping_rules.stop(*case) for case in cases) not in answers
    assert len(set(answers)) == len(answers)
    reaches = [([value / 2 for value in losses], delta) for losses, delta, _ in cases]
    answers_2 = [tuple(rule.gives(*case) for case in reaches) for rule in stopping_rules.WRONG_REACHES]
    assert tuple(stopping_rules.reach(*case) for case in reaches) not in answers_2
    assert len(set(answers_2)) == len(answers_2)


@pytest.mark.parametrize("seed", range(30))
def test_scripts_tell_wrong_trainings_apart(seed: int) -> None:
    """Whatever the seed, the scripts of a run let no wrong training pass, stay clear of the rule's borders, and can be drawn."""
    scripts = stopping_rules.telling_scripts(np.random.default_rng(seed), 8)
    right = [script.epochs_run for script in scripts]
    assert any(script.limited for script in scripts[:-1])
    for script in scripts:
        min_delta, patience = script.rule
        assert stopping_rules.stop([float(np.float32(loss)) for loss in script.losses], min_delta, patience)[0] == script.epochs_run
    for rule in stopping_rules.WRONG_TRAININGS:
        assert [rule.gives(script) for script in scripts] != right, rule.summary
    stopped, limited, _ = chosen = restoring(np.random.default_rng(seed))
    assert all(script.best_of(script.epochs_run) != script.epochs_run for script in chosen)
    assert stopped.epochs_run < len(stopped.losses)
    # One whose rule is met in the last epoch that is allowed would not tell who restores only when it is met.
    assert limited.epochs_run - limited.best_of(limited.epochs_run) < limited.rule[1]
