class Stopper(keras.callbacks.Callback):
    """Stop when the validation loss no longer falls."""

    def __init__(self):
        super().__init__()
        self.best, self.weights, self.without = float("inf"), None, 0

    def on_epoch_end(self, epoch, logs=None):
        """Note the best weights, and count epochs without improvement."""
        if logs["val_loss"] < self.best - self.min_delta:
            self.best, self.weights, self.without = logs["val_loss"], self.model.get_weights(), 0
        else:
            self.without += 1
        if self.without >= self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        """Go back to the best weights."""
        self.model.set_weights(self.weights)


STOPPER = Stopper()


def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    """Use the module's one callback."""
    STOPPER.min_delta, STOPPER.patience = min_delta, patience
    history = model.fit(train_data, validation_data=val_data, epochs=epochs, callbacks=[STOPPER], verbose=0).history
    return {name: [float(value) for value in history[name]] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
