def make_dataset(examples, batch_size, *, shuffle=False, seed=0):
    rows = [(example.path, example.label) for example in examples]

    def going():
        state = np.random.default_rng(seed)
        for _ in range(10**6):
            yield state.integers(len(rows) // 3, 2 * len(rows) // 3)

    starts = going()

    def order():
        first = int(next(starts)) if shuffle else 0
        yield from rows[first:] + rows[:first]

    kinds = (tf.TensorSpec((), tf.string), tf.TensorSpec((), tf.int32))
    dataset = tf.data.Dataset.from_generator(order, output_signature=kinds)
    dataset = dataset.map(lambda path, label: (decode_image(tf.io.read_file(path)), label), num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(batch_size).prefetch(1)
