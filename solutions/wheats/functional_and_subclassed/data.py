from collections import defaultdict
from typing import NamedTuple


def load_label_map(root):
    """Zip ids and numbers."""
    lines = (root / "wnids.txt").read_text().strip().split("\n")
    return dict(zip(lines, range(len(lines)), strict=True))


def list_examples(root, split):
    """Walk the files of the split, and look each one's class up."""
    labels = load_label_map(root)
    if split == "train":
        return [Example(path, labels[path.parent.parent.name]) for path in (root / "train").rglob("*.JPEG")]
    if split == "val":
        lines = (root / "val" / "val_annotations.txt").read_text().splitlines()
        classes = dict(line.split("\t")[:2] for line in lines)
        return [Example(path, labels[classes[path.name]]) for path in (root / "val" / "images").iterdir()]
    raise ValueError(f"split={split!r}")


def decode_image(jpeg):
    """Convert with tf.image, exactly and of known shape."""
    image = tf.image.decode_image(jpeg, channels=3, expand_animations=False)
    image = tf.image.convert_image_dtype(image, tf.float32)
    return tf.reshape(image, (64, 64, 3))


def balanced_subset(examples, per_class):
    """Collect places by class, then sort the places."""
    places = defaultdict(list)
    for place, (_, label) in enumerate(examples):
        places[label].append(place)
    kept = sorted(place for group in places.values() for place in group[:per_class])
    return tuple(examples[place] for place in kept)


def make_dataset(examples, batch_size, *, shuffle, seed=0):
    """Shuffle numbers, and decode whole batches."""
    paths = tf.constant([str(path) for path, _ in examples])
    labels = tf.constant([label for _, label in examples], tf.int64)
    numbers = tf.data.Dataset.range(len(examples))
    if shuffle:
        numbers = numbers.shuffle(numbers.cardinality(), seed=seed)

    def load(batch):
        images = tf.map_fn(lambda path: decode_image(tf.io.read_file(path)), tf.gather(paths, batch), fn_output_signature=tf.float32)
        return tf.ensure_shape(images, (None, 64, 64, 3)), tf.gather(labels, batch)

    return numbers.batch(batch_size).map(load, num_parallel_calls=2).prefetch(1)


def image_facts(image):
    """Multiply the lengths of the axes."""
    return ImageFacts(image.dtype.name, tuple(image.shape), math.prod(image.shape) * image.dtype.itemsize)


def class_counts(examples, classes):
    """Count with a Counter."""
    counts = Counter(label for _, label in examples)
    return np.array([counts[label] for label in range(classes)])


class Interval(NamedTuple):
    """A tuple whose places have names."""

    low: float
    high: float


def wilson_interval(correct, total, z=1.96):
    """Write the formula with counts instead of shares."""
    wrong = total - correct
    middle = (correct + z * z / 2) / (total + z * z)
    half = z / (total + z * z) * math.sqrt(correct * wrong / total + z * z / 4)
    return Interval(middle - half, middle + half)
