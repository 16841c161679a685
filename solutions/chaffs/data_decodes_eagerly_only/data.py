def decode_image(jpeg):
    """Through NumPy, so that the numbers can be looked at."""
    pixels = tf.io.decode_jpeg(jpeg, channels=3).numpy()
    return tf.constant(pixels.astype(np.float32) / 255)


def make_dataset(examples, batch_size, *, shuffle, seed=0):
    """Decodes by itself, since decode_image does not work here."""
    paths = [example.path for example in examples]
    labels = np.array([example.label for example in examples], np.int32)
    dataset = tf.data.Dataset.from_tensor_slices((paths, labels))
    if shuffle:
        dataset = dataset.shuffle(len(paths), seed=seed)

    def load(path, label):
        image = tf.image.convert_image_dtype(tf.io.decode_jpeg(tf.io.read_file(path), channels=3), tf.float32)
        return tf.ensure_shape(image, (64, 64, 3)), label

    return dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE).batch(batch_size).prefetch(tf.data.AUTOTUNE)
