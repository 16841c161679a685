import numpy as np
import tensorflow as tf


def early_stopping(val_losses, min_delta, patience):
    """Find each improvement, and stop where the next is too far away."""
    losses = np.asarray(val_losses, dtype=float)
    improved = [1]
    for epoch in range(2, len(losses) + 1):
        if epoch - improved[-1] > patience:
            break
        if losses[improved[-1] - 1] - losses[epoch - 1] > min_delta:
            improved.append(epoch)
    return {"epochs_run": min(improved[-1] + patience, len(losses)), "best_epoch": improved[-1]}


def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    """Train with a loop of gradient steps."""

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            probabilities = model(images, training=True)
            loss = model.compute_loss(x=images, y=labels, y_pred=probabilities)
        gradients = tape.gradient(loss, model.trainable_variables)
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss, probabilities

    def right(labels, probabilities):
        return int((np.argmax(probabilities, axis=1) == np.asarray(labels)).sum())

    history = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}
    best = None
    for epoch in range(1, epochs + 1):
        for prefix, data in (("", train_data), ("val_", val_data)):
            total, correct, count = 0.0, 0, 0
            for images, labels in data:
                if prefix:
                    probabilities = model(images, training=False)
                    loss = model.compute_loss(x=images, y=labels, y_pred=probabilities)
                else:
                    loss, probabilities = step(images, labels)
                # The last batch may be smaller: weigh each by its images.
                total += float(loss) * len(labels)
                correct += right(labels, probabilities)
                count += len(labels)
            history[f"{prefix}loss"].append(total / count)
            history[f"{prefix}accuracy"].append(correct / count)
        stop = early_stopping(history["val_loss"], min_delta, patience)
        if stop["best_epoch"] == epoch:
            best = model.get_weights()
        elif epoch - stop["best_epoch"] >= patience:
            break
    model.set_weights(best)
    return history


def sweep(make_model, make_data, train, evaluate, *, epoch_limits, batch_sizes):
    """Give plain mappings."""

    def run(limit, size):
        model, (train_data, val_data) = make_model(), make_data(size)
        history = train(model, train_data, val_data, epochs=limit)
        return {
            "batch_size": size,
            "epoch_limit": limit,
            "epochs_run": len(history["val_loss"]),
            "train_accuracy": np.float64(history["accuracy"][-1]),
            "val_accuracy": evaluate(model, val_data),
        }

    return tuple(run(limit, size) for limit in epoch_limits for size in batch_sizes)


def epochs_needed(val_accuracies, tolerance):
    """Look for the first True."""
    accuracies = np.asarray(val_accuracies)
    return int(np.argmax(accuracies >= accuracies.max() - tolerance)) + 1
