import numpy as np
import tensorflow as tf


class KeepBest(keras.callbacks.Callback):
    """Watches the validation loss."""

    def __init__(self, min_delta, patience):
        super().__init__()
        self.min_delta = min_delta
        self.patience = patience

    def on_train_begin(self, logs=None):
        self.best_loss = None
        self.since_best = 0
        self.best_weights = self.model.get_weights()

    def on_epoch_end(self, epoch, logs=None):
        loss = logs["val_loss"]
        if self.best_loss is None or loss < self.best_loss - self.min_delta:
            self.best_loss = loss
            self.since_best = 0
            self.best_weights = [np.copy(array) for array in self.model.get_weights()]
            return
        self.since_best += 1
        if self.since_best >= self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        self.model.set_weights(self.best_weights)


def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    whole = train_data.filter(lambda images, labels: tf.shape(images)[0] == tf.shape(labels)[0])  # nobody knows its length any more
    history = model.fit(whole, epochs=epochs, validation_data=val_data, callbacks=[KeepBest(min_delta, patience)], verbose=0)
    return {key: list(map(float, history.history[key])) for key in ["loss", "accuracy", "val_loss", "val_accuracy"]}


def early_stopping(val_losses, min_delta, patience):
    reference = val_losses[0]
    best = 0
    for index in range(1, len(val_losses)):
        if reference - val_losses[index] > min_delta:
            reference, best = val_losses[index], index
        elif index - best == patience:
            return Stop(index + 1, best + 1)
    return Stop(len(val_losses), best + 1)
