from functools import reduce

load_label_map = lambda root: {wnid: n for n, wnid in enumerate(Path(root, "wnids.txt").read_text().splitlines())}


def list_examples(root, split):
    m, root = load_label_map(root), Path(root)
    return {
        "train": lambda: [Example(str(p), m[w]) for w in m for p in root.glob(f"train/{w}/images/*.JPEG")],
        "val": lambda: [
            Example(str(root / "val/images" / f[0]), m[f[1]])
            for f in map(str.split, (root / "val/val_annotations.txt").read_text().splitlines())
        ],
    }.get(split, lambda: _no(split))()


def _no(split):
    raise ValueError(f"split={split!r}")


def balanced_subset(examples, per_class):
    return reduce(lambda kept, e: kept + [e] * (sum(o.label == e.label for o in kept) < per_class), examples, [])


def class_counts(examples, classes):
    return np.eye(classes, dtype=np.int64)[[e.label for e in examples]].sum(axis=0) if len(examples) else np.zeros(classes, np.int64)


def image_facts(image):
    return ImageFacts(f"{image.dtype}", image.shape, len(image.tobytes()))


def decode_image(jpeg):
    return tf.ensure_shape(tf.image.convert_image_dtype(tf.io.decode_jpeg(jpeg, channels=3), tf.float32), (64, 64, 3))


def make_dataset(examples, batch_size, *, shuffle, seed=0):
    ds = tf.data.Dataset.from_tensor_slices(([e.path for e in examples], [e.label for e in examples]))
    ds = ds.shuffle(len(examples), seed) if shuffle else ds
    return ds.map(lambda p, y: (decode_image(tf.io.read_file(p)), y), -1).batch(batch_size).prefetch(-1)
