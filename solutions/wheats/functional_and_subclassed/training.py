class BestWeights(keras.callbacks.Callback):
    """End the training by the rule of early_stopping, and go back to the best weights."""

    def __init__(self, min_delta, patience):
        super().__init__()
        self.min_delta = min_delta
        self.patience = patience
        self.losses = []
        self.best_weights = None

    def on_epoch_end(self, epoch, logs=None):
        """Keep the weights of an epoch that improves."""
        self.losses.append(logs["val_loss"])
        best_epoch = early_stopping(self.losses, self.min_delta, self.patience).best_epoch
        if best_epoch == len(self.losses):
            self.best_weights = self.model.get_weights()
        self.model.stop_training = len(self.losses) - best_epoch >= self.patience

    def on_train_end(self, logs=None):
        """Restore them."""
        self.model.set_weights(self.best_weights)


def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    """Fit with a callback of our own."""
    record = model.fit(
        x=train_data,
        epochs=epochs,
        verbose=2,
        validation_data=val_data,
        callbacks=[BestWeights(min_delta, patience), keras.callbacks.TerminateOnNaN()],
    )
    return record.history


def sweep(make_model, make_data, train, evaluate, *, epoch_limits, batch_sizes):
    """Train all, then evaluate all."""
    data = {size: make_data(size) for size in batch_sizes}
    runs = []
    for limit in epoch_limits:
        for size in batch_sizes:
            model = make_model()
            runs.append((size, limit, model, train(model=model, train_data=data[size][0], val_data=data[size][1], epochs=limit)))
    return [
        Setting(size, limit, len(history["accuracy"]), history["accuracy"][-1], evaluate(model, data[size][1]))
        for size, limit, model, history in runs
    ]


def early_stopping(val_losses, min_delta, patience):
    """Count epochs without an improvement."""
    best, best_epoch, epoch, waited = float("inf"), 0, 0, 0
    while epoch < len(val_losses) and waited < patience:
        epoch += 1
        if val_losses[epoch - 1] + min_delta < best:
            best, best_epoch, waited = val_losses[epoch - 1], epoch, 0
        else:
            waited += 1
    return Stop(epoch, best_epoch)


def epochs_needed(val_accuracies, tolerance):
    """Sort the good ones by epoch."""
    best = max(val_accuracies)
    return min(epoch + 1 for epoch, accuracy in enumerate(val_accuracies) if best - accuracy <= tolerance)
