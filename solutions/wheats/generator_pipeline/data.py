import csv


def load_label_map(root):
    with open(Path(root, "wnids.txt"), newline="") as file:
        return {row[0]: number for number, row in enumerate(csv.reader(file))}


def list_examples(root, split):
    labels = load_label_map(root)
    if split not in ("train", "val"):
        raise ValueError(f"{split!r} is neither train nor val")
    if split == "train":
        files = Path(root, "train").glob("*/images/*.JPEG")
        return [Example(str(file), labels[file.parent.parent.name]) for file in files if file.parent.parent.name in labels]
    with open(Path(root, "val", "val_annotations.txt"), newline="") as file:
        return [Example(str(Path(root, "val", "images", row[0])), labels[row[1]]) for row in csv.reader(file, delimiter="\t")]


def make_dataset(examples, batch_size, *, shuffle, seed=0):
    examples = list(examples)
    random = np.random.default_rng(seed)

    def give():
        order = random.permutation(len(examples)) if shuffle else range(len(examples))
        for place in order:
            yield examples[place].path, examples[place].label

    signature = (tf.TensorSpec((), tf.string), tf.TensorSpec((), tf.int32))
    dataset = tf.data.Dataset.from_generator(give, output_signature=signature)
    dataset = dataset.batch(batch_size)
    return dataset.map(_load_all, num_parallel_calls=2).prefetch(2)


def _load_all(paths, labels):
    images = tf.map_fn(lambda path: decode_image(tf.io.read_file(path)), paths, fn_output_signature=tf.TensorSpec((64, 64, 3), tf.float32))
    return images, labels


def class_counts(examples, classes):
    counter = Counter(example.label for example in examples)
    return np.fromiter((counter[label] for label in range(classes)), np.int64, classes)


def balanced_subset(examples, per_class):
    seen = Counter()

    def first(example):
        seen[example.label] += 1
        return seen[example.label] <= per_class

    return list(filter(first, examples))
