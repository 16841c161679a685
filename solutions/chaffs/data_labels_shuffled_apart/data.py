def make_dataset(examples, batch_size, *, shuffle, seed=0):
    """Shuffle paths and labels, each by itself."""
    paths = tf.data.Dataset.from_tensor_slices([example.path for example in examples])
    labels = tf.data.Dataset.from_tensor_slices(np.array([example.label for example in examples], dtype=np.int32))
    if shuffle:
        paths = paths.shuffle(len(examples), seed=seed)
        labels = labels.shuffle(len(examples), seed=seed + 1)
    images = paths.map(lambda path: decode_image(tf.io.read_file(path)), num_parallel_calls=tf.data.AUTOTUNE)
    return tf.data.Dataset.zip((images, labels)).batch(batch_size)
