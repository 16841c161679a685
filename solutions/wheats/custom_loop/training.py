import sys
import tempfile
from pathlib import Path


def early_stopping(val_losses, min_delta, patience):
    """Check the arguments, then go through the losses."""
    if patience < 1 or min_delta < 0 or not len(val_losses):
        raise ValueError(f"Expected losses, min_delta >= 0 and patience >= 1. Received: {val_losses=}, {min_delta=}, {patience=}")
    stopper = _Stopper(min_delta, patience)
    for loss in val_losses:
        stopper.add(loss)
        if stopper.done:
            break
    return Stop(stopper.epoch, stopper.best_epoch)


class _Stopper:
    def __init__(self, min_delta, patience):
        self.min_delta, self.patience = min_delta, patience
        self.epoch, self.best_epoch, self.best = 0, 0, None

    def add(self, loss):
        self.epoch += 1
        if self.best is None or self.best - loss > self.min_delta:
            self.best, self.best_epoch = loss, self.epoch
        return self.best_epoch == self.epoch

    @property
    def done(self):
        return self.epoch - self.best_epoch >= self.patience


def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    """Train batch by batch, and keep the best weights on disk."""
    if epochs < 1:
        raise ValueError(f"Expected at least one epoch. Received: {epochs=}")
    stopper = _Stopper(min_delta, patience)
    history = {name: [] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "best.weights.h5"
        while stopper.epoch < epochs and not (stopper.epoch and stopper.done):
            seen, sums = 0, {"loss": 0.0, "accuracy": 0.0}
            for images, labels in train_data:
                model.reset_metrics()  # some versions of Keras do that by themselves, so that each batch tells of itself
                for name, value in model.train_on_batch(images, labels, return_dict=True).items():
                    sums[name] += len(labels) * float(value)
                seen += len(labels)
            logs = {name: value / seen for name, value in sums.items()}
            results = {**logs, **{f"val_{name}": value for name, value in model.evaluate(val_data, verbose=0, return_dict=True).items()}}
            for name, values in history.items():
                values.append(float(results[name]))
            print("epoch", stopper.epoch + 1, results, file=sys.stderr)
            if stopper.add(history["val_loss"][-1]):
                model.save_weights(file)
        model.load_weights(file)
    return history


def sweep(make_model, make_data, train, evaluate, *, epoch_limits, batch_sizes):
    """Take one pair after the other."""
    settings = []
    for epoch_limit, batch_size in ((limit, size) for limit in epoch_limits for size in batch_sizes):
        print(f"limit {epoch_limit}, batch size {batch_size}")
        train_data, val_data = make_data(batch_size)
        model = make_model()
        history = train(model, train_data, val_data, epochs=epoch_limit)
        accuracy = evaluate(model, val_data)
        epochs_run = len(history["loss"])
        settings.append(Setting(batch_size, epoch_limit, epochs_run, history["accuracy"][epochs_run - 1], accuracy))
    return settings


def epochs_needed(val_accuracies, tolerance):
    """Go through the epochs."""
    best = sorted(val_accuracies)[-1]
    for epoch, accuracy in enumerate(val_accuracies):
        if not accuracy < best - tolerance:
            return epoch + 1
    raise AssertionError("the best accuracy is among them")
