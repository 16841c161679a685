"""Trains the lab's CNN on the embedded data set and saves the weights that ship with the package.

The pictures are read from a whole `full` (or `small`) set on disk. Training ends when the minutes are up;
the state is saved after every part of an epoch under `--state`, so that a run that was stopped can be continued with the same command.
"""

import argparse
import json
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from safetensors.numpy import load_file
from safetensors.numpy import save as to_bytes

from grader.dataset.layout import SIZES, Size, class_ids, mixed_places, train_places
from grader.dataset.make import make_dataset
from grader.dataset.weights import WEIGHTS_FILE
from grader.lab import CLASSES, IMAGE_SHAPE

BATCH = 64
STEPS_A_PART = 200


def build_model() -> keras.Model:
    """The lab's CNN: six convolutions, three poolings, two dense layers; 770,216 parameters."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input(IMAGE_SHAPE),
            layers.Conv2D(32, 5, activation="relu", name="conv1"),
            layers.Conv2D(32, 5, activation="relu", name="conv2"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(64, 3, activation="relu", name="conv3"),
            layers.Conv2D(64, 3, activation="relu", name="conv4"),
            layers.MaxPooling2D(name="pool2"),
            layers.Conv2D(64, 3, activation="relu", name="conv5"),
            layers.Conv2D(128, 3, activation="relu", name="conv6"),
            layers.MaxPooling2D(name="pool3"),
            layers.Flatten(name="flatten"),
            layers.Dense(256, activation="relu", name="dense1"),
            layers.Dense(CLASSES, activation="softmax", name="dense2"),
        ]
    )


def examples(root: Path, size: Size, split: str, seed: int) -> tuple[list[str], list[int]]:
    """The paths and labels of a split."""
    if split == "train":
        places = [place for index in range(CLASSES) for place in train_places(size, index)]
        return [str(root / place.path) for place in places], [place.class_index for place in places]
    lines = (root / "val" / "val_annotations.txt").read_text().splitlines()
    label = {wnid: index for index, wnid in enumerate(class_ids())}
    rows = [line.split("\t") for line in lines]
    assert len(rows) == len(mixed_places(size, "val", seed))
    return [str(root / "val" / "images" / row[0]) for row in rows], [label[row[1]] for row in rows]


def load(path: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """A JPEG as (64, 64, 3) float32 in [0, 1]; greyscale becomes three equal channels."""
    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
    return tf.ensure_shape(tf.cast(image, tf.float32) / 255.0, IMAGE_SHAPE), label


def batches(paths: list[str], labels: list[int], order: np.ndarray) -> tf.data.Dataset:
    """Batches of pictures in an order."""
    data = tf.data.Dataset.from_tensor_slices((np.array(paths)[order], np.array(labels, np.int32)[order]))
    return data.map(load, num_parallel_calls=2).batch(BATCH).prefetch(2)


def top_k(model: keras.Model, data: tf.data.Dataset, labels: list[int]) -> dict[str, float]:
    """Top-1, Top-5 and Top-10 accuracy, and the mean loss."""
    probabilities = model.predict(data, verbose=0)
    truth = np.asarray(labels)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    hit = order == truth[:, None]
    loss = -np.log(np.maximum(probabilities[np.arange(len(truth)), truth], 1e-7)).mean()
    return {**{f"top{k}": float(hit[:, :k].any(axis=1).mean()) for k in (1, 5, 10)}, "loss": float(loss)}


def save(model: keras.Model, path: Path) -> None:
    """Saves the weights in get_weights() order, as "000", "001", ... in float32."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(to_bytes({f"{n:03d}": np.ascontiguousarray(array, np.float32) for n, array in enumerate(model.get_weights())}))
    part.replace(path)


def main() -> None:
    """Trains until the minutes are up, then saves and says how good the weights are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/full"), help="folder of the embedded set; made if it is not whole")
    parser.add_argument("--size", choices=sorted(SIZES), default="full")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument(
        "--rate", type=float, default=1e-3, help="learning rate at the start; falls to a hundredth as a cosine over the minutes"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", type=Path, default=Path("build/make_weights"))
    parser.add_argument("--out", type=Path, default=WEIGHTS_FILE)
    parser.add_argument("--evaluate", action="store_true", help="only say how good the saved weights are")
    options = parser.parse_args()

    size = SIZES[options.size]
    manifest = make_dataset(options.data, size)
    print(f"{manifest.name} {manifest.sha256}", flush=True)
    val_paths, val_labels = examples(options.data, size, "val", manifest.seed)
    val = batches(val_paths, val_labels, np.arange(len(val_paths)))
    keras.utils.set_random_seed(options.seed)
    model = build_model()
    if options.evaluate:
        saved = load_file(options.out)
        model.set_weights([saved[key] for key in sorted(saved)])
        print(top_k(model, val, val_labels))
        return

    paths, labels = examples(options.data, size, "train", manifest.seed)
    model.compile(keras.optimizers.Adam(options.rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    parts = -(-len(paths) // (BATCH * STEPS_A_PART))
    progress = {"part": 0, "seconds": 0.0}
    options.state.mkdir(parents=True, exist_ok=True)
    weights_state, progress_state = options.state / "state.weights.h5", options.state / "progress.json"
    if progress_state.exists():
        progress = json.loads(progress_state.read_text())
        model.load_weights(weights_state)
        print(f"continuing at part {progress['part']}, {progress['seconds']:.0f} s", flush=True)

    limit_s = options.minutes * 60
    while progress["seconds"] < limit_s:
        started = time.monotonic()
        epoch, part = divmod(progress["part"], parts)
        order = np.random.default_rng([options.seed, epoch]).permutation(len(paths))[part * BATCH * STEPS_A_PART :][: BATCH * STEPS_A_PART]
        done = progress["seconds"] / limit_s
        model.optimizer.learning_rate = options.rate * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * min(1.0, done))))
        history = model.fit(batches(paths, labels, order), verbose=0).history
        progress = {"part": progress["part"] + 1, "seconds": progress["seconds"] + time.monotonic() - started}
        model.save_weights(weights_state)
        progress_state.write_text(json.dumps(progress))
        print(
            f"epoch {epoch + 1} part {part + 1}/{parts} {progress['seconds']:.0f} s "
            f"loss {history['loss'][-1]:.3f} accuracy {history['accuracy'][-1]:.3f}",
            flush=True,
        )
    save(model, options.out)
    print(f"{options.out.name} {options.out.stat().st_size} bytes", top_k(model, val, val_labels))


if __name__ == "__main__":
    main()
