import tensorflow as tf


def predict_classes(model, images):
    @tf.function(jit_compile=True, reduce_retracing=True)
    def classify(batch):
        probabilities = model(batch, training=False)
        return tf.argmax(probabilities, axis=1, output_type=tf.int32), tf.reduce_max(probabilities, axis=1)

    size = min(64, len(images))
    labels, confidences = [], []
    for first in range(0, len(images), size):
        batch = images[first : first + size]
        missing = size - len(batch)
        # One shape only: each other one would be compiled anew.
        padded = np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), batch.dtype)]) if missing else batch
        some_labels, some_confidences = classify(padded)
        labels.append(some_labels.numpy()[: len(batch)])
        confidences.append(some_confidences.numpy()[: len(batch)])
    return Predictions(np.concatenate(labels), np.concatenate(confidences))


def feature_maps(model, images, layer_names):
    probe = keras.Model(model.inputs, {name: model.get_layer(name).output for name in dict.fromkeys(layer_names)})
    run = tf.function(lambda batch: probe(batch, training=False), jit_compile=True)
    return {name: output.numpy() for name, output in run(tf.constant(images)).items()}


def top_k_accuracy(probabilities, labels, k):
    own = np.take_along_axis(probabilities, np.asarray(labels)[:, None], axis=1)
    return float(((probabilities > own).sum(axis=1) < k).mean())
