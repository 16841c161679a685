"""Section 1, data: from a folder of JPEG files to batches that a network can learn from.

The data set is Tiny ImageNet: 200 classes of 64x64 colour images. Under its root folder lie

    wnids.txt                              the 200 class ids, one a line; a class's label is its line number, from 0
    words.txt                              <id> TAB <names>; holds many more ids than the 200
    train/<wnid>/images/<wnid>_<n>.JPEG    training images, one folder a class
    val/images/val_<n>.JPEG                validation images, all in one folder
    val/val_annotations.txt                <file> TAB <wnid> TAB <box: 4 numbers>; a line an image, not in class order
    test/images/                           images without labels; not used here
"""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class Example(NamedTuple):
    """One image on disk and its class."""

    path: str
    """Path of the JPEG file, starting with the root that was given."""
    label: int
    """Class index: the line number of its id in wnids.txt, from 0."""


class ImageFacts(NamedTuple):
    """What an image takes in memory."""

    dtype: str
    """Name of the element type, such as "uint8"."""
    shape: tuple[int, ...]
    """Lengths of the axes, such as (64, 64, 3)."""
    bytes: int
    """Size of the elements together, in bytes."""


def load_label_map(root: Path) -> dict[str, int]:
    """Number the classes: the first id in wnids.txt gets 0, the second 1, and so on.

    The ids in the file are not sorted. Keep the file's order: it is what makes a label mean the same class on every machine.

    Args:
        root: Folder of the data set.

    Returns:
        From class id (wnid) to label, one entry for each line of wnids.txt.

    Raises:
        FileNotFoundError: There is no wnids.txt under root.
    """
    # >>> your code
    wnids = (Path(root) / "wnids.txt").read_text(encoding="utf-8").split()
    return {wnid: label for label, wnid in enumerate(wnids)}
    # <<< your code


def list_examples(root: Path, split: str) -> list[Example]:
    """List the images of one split with their labels, without reading an image.

    A training image's class is the folder it lies in; a validation image's class stands in val/val_annotations.txt.

    Args:
        root: Folder of the data set.
        split: "train" or "val".

    Returns:
        Every image of the split once, in any order.

    Raises:
        ValueError: split is neither "train" nor "val".

    Not required: the boxes, the test split, and checks that the images can be read.
    """
    # >>> your code
    root = Path(root)
    labels = load_label_map(root)
    if split == "train":
        return [
            Example(str(path), label)
            for wnid, label in labels.items()
            # A folder has no order of its own; sorted, every machine lists the same images first.
            for path in sorted((root / "train" / wnid / "images").glob("*.JPEG"))
        ]
    if split == "val":
        annotations = (root / "val" / "val_annotations.txt").read_text(encoding="utf-8")
        rows = [line.split("\t") for line in annotations.splitlines() if line]
        return [Example(str(root / "val" / "images" / file), labels[wnid]) for file, wnid, *_box in rows]
    raise ValueError(f'Expected split to be "train" or "val". Received: split={split!r}')
    # <<< your code


def decode_image(jpeg: bytes | tf.Tensor) -> tf.Tensor:
    """Turn the bytes of one JPEG file into the numbers a network reads.

    Each pixel value 0 ... 255 becomes value / 255, computed in float32. A greyscale image becomes three equal channels.

    The function is called on bytes, and by tf.data on a tensor whose value is not yet known: use TensorFlow operations, and give
    the result its full shape, since a layer cannot be built on an image of unknown size.

    Args:
        jpeg: Content of a JPEG file of 64x64 pixels: bytes, or a scalar string tensor.

    Returns:
        (64, 64, 3) float32 in [0, 1].

    Not required: images of other sizes, other file formats.
    """
    # >>> your code
    pixels = tf.io.decode_jpeg(jpeg, channels=3)  # channels=3 also makes a greyscale image three equal channels
    # The file's header decides the size, so TensorFlow cannot know it before; the lab's images are all of one size.
    pixels = tf.ensure_shape(pixels, (64, 64, 3))
    return tf.cast(pixels, tf.float32) / 255.0
    # <<< your code


def balanced_subset(examples: Sequence[Example], per_class: int) -> list[Example]:
    """Keep the first per_class examples of each class.

    Any prefix of the training list is a subset too, but the list goes class by class: a prefix would lack most classes.

    Args:
        examples: Any examples, in any order.
        per_class: How many to keep of each class, at least 1. A class that has fewer keeps all it has.

    Returns:
        The examples kept, in the order in which they were given.
    """
    # >>> your code
    kept = []
    taken: Counter[int] = Counter()
    for example in examples:
        if taken[example.label] < per_class:
            taken[example.label] += 1
            kept.append(example)
    return kept
    # <<< your code


def make_dataset(examples: Sequence[Example], batch_size: int, *, shuffle: bool, seed: int = 0) -> tf.data.Dataset:
    """Build the input pipeline: read, decode and batch the examples while the model works on the batch before.

    Every pass over the dataset gives every example exactly once. The last batch is smaller when batch_size does not divide the
    number of examples; it is kept.

    With shuffle=False the examples come in the order given. With shuffle=True the whole list is shuffled: any example may come
    first. The first pass over a new dataset is in the same order whenever the seed is the same; each further pass over the
    same dataset is in another order.

    Reading must not be the brake: decode several images at a time, prepare the next batch while this one is in use, and
    shuffle what is small (paths) rather than what is large (images). A good pipeline reaches at least 80 % of the speed of decoding alone.

    Args:
        examples: What to read, at least one.
        batch_size: Examples a batch, at least 1.
        shuffle: Whether to shuffle.
        seed: Chooses the order when shuffle is True; it has no effect otherwise.

    Returns:
        A dataset of (images, labels): (batch, 64, 64, 3) float32 in [0, 1] and (batch,) int32.

    Not required: data augmentation, caching.
    """
    # >>> your code
    paths = [example.path for example in examples]
    labels = np.array([example.label for example in examples], dtype=np.int32)
    dataset = tf.data.Dataset.from_tensor_slices((paths, labels))
    if shuffle:
        # Paths are small, so the buffer holds all of them: a smaller one would only shuffle nearby examples, and the training
        # list is in class order. Each further pass is shuffled anew.
        dataset = dataset.shuffle(len(paths), seed=seed, reshuffle_each_iteration=True)

    def load(path: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return decode_image(tf.io.read_file(path)), label

    # Several threads decode, yet the order stays: labels and images of a timing run must be the same each time.
    dataset = dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)
    # <<< your code


def image_facts(image: np.ndarray) -> ImageFacts:
    """Say what an image takes in memory: the same image is four times larger as float32 than as uint8.

    Args:
        image: An array of any shape and type.

    Returns:
        Its element type, shape and size: bytes is (number of elements) x (bytes an element).
    """
    # >>> your code
    return ImageFacts(dtype=str(image.dtype), shape=image.shape, bytes=image.nbytes)
    # <<< your code


def class_counts(examples: Sequence[Example], classes: int) -> np.ndarray:
    """Count the examples of each class.

    Args:
        examples: Any examples, possibly none; their labels lie in 0 ... classes - 1.
        classes: Number of classes.

    Returns:
        (classes,) int64; element i is the number of examples with label i, 0 where there are none.
    """
    # >>> your code
    labels = np.array([example.label for example in examples], dtype=np.int64)
    return np.bincount(labels, minlength=classes).astype(np.int64)
    # <<< your code


def wilson_interval(correct: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Give the Wilson score interval of an accuracy: the true accuracies that fit what was counted.

    With p = correct / total and n = total,

        centre     = (p + z^2 / (2 n)) / (1 + z^2 / n)
        half width = z / (1 + z^2 / n) x sqrt(p (1 - p) / n + z^2 / (4 n^2))

    and the interval is centre - half width to centre + half width. Its width shrinks with the square root of n: four times as
    many validation images make it half as wide.

    Args:
        correct: Images classified correctly, 0 ... total.
        total: Images in all, at least 1.
        z: Quantile of the normal distribution; 1.96 is for 95 % confidence.

    Returns:
        (low, high), both in [0, 1].

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    # >>> your code
    p, n = correct / total, total
    shrink = 1 + z**2 / n
    centre = (p + z**2 / (2 * n)) / shrink
    half_width = z / shrink * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # At 0 or total correct one end is exactly 0 or 1; rounding may put it a hair outside.
    return max(0.0, centre - half_width), min(1.0, centre + half_width)
    # <<< your code
