import os
import os.path


def load_label_map(root):
    filename = os.path.join(root, "wnids.txt")
    if os.path.exists(filename) == False:
        raise FileNotFoundError("The file " + filename + " does not exist!")
    label_map = dict()
    label = 0
    f = open(filename, "r")
    while True:
        line = f.readline()
        if line == "":
            break
        wnid = line.strip()
        if len(wnid) > 0:
            label_map[wnid] = label
            label += 1
    f.close()
    print("Number of classes: " + str(len(label_map)))
    return label_map


def list_examples(root, split):
    if split != "train" and split != "val":
        raise ValueError("Unknown split: " + str(split))

    root = str(root)
    label_map = load_label_map(root)
    wnids = list(label_map.keys())
    examples = []

    if split == "train":
        i = 0
        while i < len(wnids):
            folder = root + "/train/" + wnids[i] + "/images/"
            files = os.listdir(folder)
            files.sort()
            j = 0
            while j < len(files):
                name = files[j]
                if os.path.splitext(name)[1] == ".JPEG":
                    example = Example(folder + name, i)
                    examples.append(example)
                j += 1
            i += 1

    if split == "val":
        f = open(root + "/val/val_annotations.txt", "r")
        text = f.read()
        f.close()
        lines = text.split("\n")
        for i in range(0, len(lines)):
            if lines[i].strip() == "":
                continue
            columns = lines[i].split("\t")
            file_name = columns[0]
            wnid = columns[1]
            # find the class
            label = -1
            for j in range(0, len(wnids)):
                if wnids[j] == wnid:
                    label = j
            examples.append(Example(root + "/val/images/" + file_name, label))

    print("Found " + str(len(examples)) + " images in " + split)
    return examples


def decode_image(jpeg):
    image = tf.io.decode_jpeg(jpeg, channels=3)
    image = tf.reshape(image, [64, 64, 3])
    image = tf.cast(image, "float32")
    red = image[:, :, 0] / 255.0
    green = image[:, :, 1] / 255.0
    blue = image[:, :, 2] / 255.0
    image = tf.stack([red, green, blue], axis=2)
    return image


def balanced_subset(examples, per_class):
    result = []
    i = 0
    while i < len(examples):
        already = 0
        for kept in result:
            if kept.label == examples[i].label:
                already += 1
        if already < per_class:
            result += [examples[i]]
        i += 1
    return result


def make_dataset(examples, batch_size, *, shuffle, seed=0):
    paths = []
    labels = []
    for example in examples:
        paths = paths + [example[0]]
        labels = labels + [example[1]]

    path_dataset = tf.data.Dataset.from_tensor_slices(paths)
    label_dataset = tf.data.Dataset.from_tensor_slices(tf.constant(labels, dtype=tf.int32))
    dataset = tf.data.Dataset.zip((path_dataset, label_dataset))

    if shuffle:
        dataset = dataset.shuffle(len(paths), seed=seed, reshuffle_each_iteration=True)

    def load_image(path, label):
        data = tf.io.read_file(path)
        image = decode_image(data)
        return image, label

    dataset = dataset.map(load_image, num_parallel_calls=8)
    dataset = dataset.batch(batch_size, drop_remainder=False)
    dataset = dataset.prefetch(buffer_size=2)
    return dataset


def image_facts(image):
    dtype = str(image.dtype)
    shape = []
    number_of_elements = 1
    for i in range(image.ndim):
        shape.append(image.shape[i])
        number_of_elements *= image.shape[i]
    return ImageFacts(dtype, tuple(shape), number_of_elements * image.itemsize)


def class_counts(examples, classes):
    counts = [0] * classes
    for i in range(len(examples)):
        counts[examples[i].label] += 1
    return np.array(counts, dtype=np.int64)


def wilson_interval(correct, total, z=1.96):
    n = total
    p = correct / n
    z2 = z * z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    root = (p * (1 - p) / n + z2 / (4 * n * n)) ** 0.5
    half_width = z / (1 + z2 / n) * root
    low = centre - half_width
    high = centre + half_width
    # rounding
    if low < 0:
        low = 0.0
    if high > 1:
        high = 1.0
    return low, high
