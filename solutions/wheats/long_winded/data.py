import os


def load_label_map(root):
    file = open(str(root) + "/" + "wnids.txt")
    lines = file.readlines()
    file.close()
    label_map = {}
    i = 0
    for line in lines:
        wnid = line.replace("\n", "").replace("\r", "")
        if wnid != "":
            label_map[wnid] = i
            i = i + 1
    print("found", i, "classes")
    return label_map


def list_examples(root, split):
    examples = []
    label_map = load_label_map(root)
    if split == "train":
        train_dir = os.path.join(str(root), "train")
        for folder in os.listdir(train_dir):
            if folder in label_map.keys():
                images_dir = train_dir + os.sep + folder + os.sep + "images"
                for name in os.listdir(images_dir):
                    if name.endswith(".JPEG"):
                        examples.append(Example(images_dir + os.sep + name, label_map[folder]))
    elif split == "val":
        file = open(os.path.join(str(root), "val", "val_annotations.txt"))
        for line in file:
            parts = line.split("\t")
            path = os.path.join(str(root), "val", "images", parts[0])
            examples.append(Example(path=path, label=label_map[parts[1]]))
        file.close()
    else:
        raise ValueError("split must be train or val but is " + str(split))
    return examples


def decode_image(jpeg):
    image = tf.image.decode_jpeg(jpeg, channels=3)
    image = tf.cast(image, tf.float32)
    image = image / 255
    image.set_shape([64, 64, 3])
    return image


def balanced_subset(examples, per_class):
    counts = {}
    result = []
    for i in range(len(examples)):
        label = examples[i].label
        if label not in counts:
            counts[label] = 0
        if counts[label] < per_class:
            result.append(examples[i])
        counts[label] = counts[label] + 1
    return result


def make_dataset(examples, batch_size, *, shuffle, seed=0):
    paths = []
    labels = []
    for i in range(len(examples)):
        paths.append(examples[i].path)
        labels.append(examples[i].label)

    def read(path, label):
        content = tf.io.read_file(path)
        image = decode_image(content)
        return image, label

    ds = tf.data.Dataset.from_tensor_slices((paths, np.array(labels)))
    if shuffle == True:
        ds = ds.shuffle(buffer_size=len(paths), seed=seed)
    ds = ds.map(read, num_parallel_calls=4)
    ds = ds.batch(batch_size)
    ds = ds.prefetch(1)
    return ds


def image_facts(image):
    elements = 1
    for length in image.shape:
        elements = elements * length
    return ImageFacts(image.dtype.name, image.shape, elements * image.dtype.itemsize)


def class_counts(examples, classes):
    counts = np.zeros(classes, dtype="int64")
    for example in examples:
        counts[example.label] += 1
    return counts


def wilson_interval(correct, total, z=1.96):
    n = total
    p = correct / n
    a = p + z * z / (2 * n)
    b = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    c = 1 + z * z / n
    low = (a - b) / c
    high = (a + b) / c
    if low < 0:
        low = 0.0
    if high > 1:
        high = 1.0
    return (low, high)
