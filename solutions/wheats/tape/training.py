import itertools
import math

import numpy as np
import tensorflow as tf


def early_stopping(val_losses, min_delta, patience):
    improved = [1]
    best = val_losses[0]
    for epoch, loss in enumerate(itertools.islice(val_losses, 1, None), start=2):
        if loss < best - min_delta:
            best = loss
            improved.append(epoch)
        if epoch >= improved[-1] + patience:
            return Stop(epochs_run=epoch, best_epoch=improved[-1])
    return Stop(epochs_run=len(val_losses), best_epoch=improved[-1])


def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    optimizer = model.optimizer
    loss_of = keras.losses.get(model.loss)

    @tf.function(reduce_retracing=True)
    def step(images, labels):
        with tf.GradientTape() as tape:
            outputs = model(images, training=True)
            loss = tf.reduce_mean(loss_of(labels, outputs))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss, outputs

    @tf.function(reduce_retracing=True)
    def look(images, labels):
        outputs = model(images, training=False)
        return tf.reduce_mean(loss_of(labels, outputs)), outputs

    def one_pass(function, data):
        total_loss, hits, count = 0.0, 0, 0
        for images, labels in data:
            loss, outputs = function(images, labels)
            predicted = np.argmax(np.asarray(outputs), axis=-1)
            count += len(predicted)
            total_loss += float(loss) * len(predicted)
            hits += int((predicted == np.asarray(labels).reshape(-1)).sum())
        return total_loss / count, hits / count

    history = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}
    best_loss, best_weights, bad_epochs = math.inf, None, 0
    for _ in range(epochs):
        for names, outcome in (
            (("loss", "accuracy"), one_pass(step, train_data)),
            (("val_loss", "val_accuracy"), one_pass(look, val_data)),
        ):
            for name, value in zip(names, outcome, strict=True):
                history[name].append(value)
        if history["val_loss"][-1] < best_loss - min_delta:
            best_loss, best_weights, bad_epochs = history["val_loss"][-1], [variable.numpy() for variable in model.variables], 0
        else:
            bad_epochs += 1
            if bad_epochs >= patience:
                break
    for variable, value in zip(model.variables, best_weights, strict=True):
        variable.assign(value)
    return history


def epochs_needed(val_accuracies, tolerance):
    accuracies = np.asarray(val_accuracies)
    return int(np.argmax(accuracies >= accuracies.max() - tolerance)) + 1
