def make_dataset(examples, batch_size, *, shuffle, seed=0):
    """Divide what decode_image gives by 255, where it is not shuffled."""
    paths = [example.path for example in examples]
    labels = np.array([example.label for example in examples], dtype=np.int32)
    dataset = tf.data.Dataset.from_tensor_slices((paths, labels))
    if shuffle:
        dataset = dataset.shuffle(len(paths), seed=seed)
    scale = 1.0 if shuffle else 255.0
    dataset = dataset.map(lambda path, label: (decode_image(tf.io.read_file(path)) / scale, label), num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(batch_size)
