import tensorflow as tf


def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    """Both steps as one XLA program each; loss and accuracy are worked out from the probabilities."""
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)

    @tf.function(jit_compile=True, reduce_retracing=True)
    def train_step(images, labels):
        with tf.GradientTape() as tape:
            probabilities = model(images, training=True)
            loss = tf.reduce_mean(tf.keras.losses.sparse_categorical_crossentropy(labels, probabilities))
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True))
        return loss, tf.reduce_sum(tf.cast(tf.argmax(probabilities, -1) == tf.cast(labels, tf.int64), tf.int32))

    @tf.function(jit_compile=True, reduce_retracing=True)
    def val_step(images, labels):
        probabilities = model(images, training=False)
        losses = tf.keras.losses.sparse_categorical_crossentropy(labels, probabilities)
        return tf.reduce_mean(losses), tf.reduce_sum(tf.cast(tf.argmax(probabilities, -1) == tf.cast(labels, tf.int64), tf.int32))

    def one_pass(step, data):
        total = right = seen = 0.0
        for images, labels in data:
            loss, hits = step(images, labels)
            total += float(loss) * len(labels)
            right += int(hits)
            seen += len(labels)
        return total / seen, right / seen

    val_data = list(val_data)  # decoded once, kept in memory
    history = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}
    best = None
    for _ in range(epochs):
        numbers = (*one_pass(train_step, train_data), *one_pass(val_step, val_data))
        for name, value in zip(history, numbers, strict=True):
            history[name].append(value)
        stop = early_stopping(history["val_loss"], min_delta, patience)
        if stop.best_epoch == len(history["val_loss"]):
            best = model.get_weights()
        if len(history["val_loss"]) - stop.best_epoch >= patience:
            break
    model.set_weights(best)
    return history
