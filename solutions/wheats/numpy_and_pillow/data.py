import io
import itertools
import os

import pandas as pd
from PIL import Image


def load_label_map(root):
    """Count lines as they are read."""
    labels = {}
    with open(os.path.join(root, "wnids.txt")) as file:
        for line in file:
            if line.strip():
                labels[line.strip()] = len(labels)
    return labels


def list_examples(root, split):
    """List folders with os, and read the annotations with pandas."""
    if split == "train":
        return [Example(os.path.join(folder, file), label) for folder, label in _train_folders(root) for file in os.listdir(folder)]
    if split != "val":
        raise ValueError(f"split={split!r}")
    table = pd.read_csv(os.path.join(root, "val", "val_annotations.txt"), sep="\t", header=None, usecols=[0, 1], names=["file", "wnid"])
    table["label"] = table["wnid"].map(load_label_map(root))
    return [Example(os.path.join(root, "val", "images", row.file), row.label) for row in table.itertuples()]


def _train_folders(root):
    labels = load_label_map(root)
    for wnid in os.listdir(os.path.join(root, "train")):
        yield os.path.join(root, "train", wnid, "images"), labels[wnid]


def _pixels(jpeg):
    with Image.open(io.BytesIO(jpeg)) as file:
        return np.asarray(file.convert("RGB"), dtype=np.float32) / np.float32(255)


def decode_image(jpeg):
    """Decode with Pillow, also inside a graph."""
    image = tf.numpy_function(_pixels, [jpeg], tf.float32)
    image.set_shape((64, 64, 3))
    return image


def balanced_subset(examples, per_class):
    """Take the head of each group."""
    table = pd.DataFrame(list(examples), columns=["path", "label"])
    kept = table.groupby("label", sort=False).head(per_class)
    return [Example(row.path, row.label) for row in kept.itertuples()]


def make_dataset(examples, batch_size, *, shuffle, seed=0):
    """Make batches in Python, with an order of our own for each pass."""
    paths = [example.path for example in examples]
    labels = np.array([example.label for example in examples], dtype=np.int32)
    passes = itertools.count()

    def batches():
        order = np.arange(len(paths))
        if shuffle:
            order = np.random.default_rng([seed, next(passes)]).permutation(order)
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            images = []
            for index in chosen:
                with open(paths[index], "rb") as file:
                    images.append(_pixels(file.read()))
            yield np.stack(images), labels[chosen]

    signature = (tf.TensorSpec((None, 64, 64, 3), tf.float32), tf.TensorSpec((None,), tf.int32))
    return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2)


def image_facts(image):
    """Give a plain mapping."""
    return {"dtype": image.dtype.name, "shape": list(image.shape), "bytes": image.size * image.itemsize}


def class_counts(examples, classes):
    """Count with pandas."""
    labels = pd.Series([example.label for example in examples], dtype="int64")
    return labels.value_counts().reindex(range(classes), fill_value=0).to_numpy()


def wilson_interval(correct, total, z=1.96):
    """Solve the quadratic equation whose roots the ends are."""
    p = correct / total
    roots = np.roots([1 + z**2 / total, -(2 * p + z**2 / total), p**2])
    return np.sort(roots.real)
