import tensorflow as tf


def conv_output_size(size, kernel, stride=1):
    return len(range(0, size - kernel + 1, stride))


def predict_classes(model, images):
    parts = tf.data.Dataset.from_tensor_slices(images).batch(48)
    probabilities = tf.concat([model(part, training=False) for part in parts], axis=0)
    top = tf.math.top_k(probabilities, k=1)
    return Predictions(tf.squeeze(top.indices, 1).numpy(), tf.squeeze(top.values, 1).numpy())


def top_k_accuracy(probabilities, labels, k):
    hits = tf.math.in_top_k(targets=tf.cast(labels, tf.int32), predictions=tf.cast(probabilities, tf.float32), k=k)
    return tf.reduce_mean(tf.cast(hits, tf.float64)).numpy().item()
