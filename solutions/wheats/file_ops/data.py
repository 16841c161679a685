def load_label_map(root):
    wnids = tf.strings.split(tf.strings.strip(tf.io.read_file(f"{root}/wnids.txt")), "\n")
    return {wnid.decode().strip(): label for label, wnid in enumerate(wnids.numpy())}


def list_examples(root, split):
    label_map = load_label_map(root)
    if split == "train":
        found = []
        for wnid in label_map:
            for path in tf.io.gfile.glob(f"{root}/train/{wnid}/images/*.JPEG"):
                found.append(Example(path, label_map[wnid]))
        return found
    if split == "val":
        lines = tf.data.TextLineDataset(f"{root}/val/val_annotations.txt")
        fields = (tf.strings.split(line, "\t").numpy() for line in lines)
        return [Example(f"{root}/val/images/{name.decode()}", label_map[wnid.decode()]) for name, wnid, *_ in fields]
    raise ValueError(split)


def decode_image(jpeg):
    image = tf.io.decode_image(jpeg, channels=3, expand_animations=False, dtype=tf.uint8)
    return tf.math.divide(tf.cast(tf.reshape(image, (64, 64, 3)), tf.float32), tf.constant(255.0))


def balanced_subset(examples, per_class):
    examples = list(examples)
    labels = np.array([example.label for example in examples], int)
    keep = np.zeros(len(examples), bool)
    for label in np.unique(labels):
        keep[np.flatnonzero(labels == label)[:per_class]] = True
    return [example for example, kept in zip(examples, keep, strict=True) if kept]


def make_dataset(examples, batch_size, *, shuffle, seed=0):
    paths = tf.constant([example.path for example in examples])
    labels = tf.constant([example.label for example in examples], tf.int32)
    indices = tf.data.Dataset.range(len(examples))
    if shuffle:
        indices = indices.shuffle(len(examples), seed=seed)

    def load(index):
        return decode_image(tf.io.read_file(tf.gather(paths, index))), tf.gather(labels, index)

    return indices.map(load, tf.data.AUTOTUNE).batch(batch_size, drop_remainder=False).prefetch(tf.data.AUTOTUNE)


def class_counts(examples, classes):
    labels = tf.constant([example.label for example in examples], tf.int32, shape=(len(examples),))
    return tf.math.bincount(labels, minlength=classes, maxlength=classes, dtype=tf.int64).numpy()


def image_facts(image):
    tensor = tf.convert_to_tensor(image)
    return ImageFacts(tensor.dtype.name, tuple(tensor.shape.as_list()), int(tf.size(tensor)) * tensor.dtype.size)
