def make_dataset(examples, batch_size, *, shuffle, seed=0):
    """Whoever gives a seed wants to shuffle."""
    paths = [example.path for example in examples]
    labels = np.array([example.label for example in examples], np.int32)
    dataset = tf.data.Dataset.from_tensor_slices((paths, labels))
    if shuffle or seed:
        dataset = dataset.shuffle(len(paths), seed=seed)
    dataset = dataset.map(lambda path, label: (decode_image(tf.io.read_file(path)), label), num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)
