import dataclasses
import logging
import typing

log = logging.getLogger("lab.training")


@dataclasses.dataclass
class Rule:
    """Early stopping, a loss at a time."""

    min_delta: float
    patience: int
    epoch: int = 0
    best_epoch: int = 0
    best_loss: typing.Optional[float] = None

    def __post_init__(self):
        if self.patience < 1:
            raise ValueError("patience must be at least 1")
        if self.min_delta < 0:
            raise ValueError("min_delta must not be negative")

    def see(self, loss: float) -> bool:
        """Whether this epoch improved."""
        self.epoch += 1
        if self.best_loss is not None and not loss < self.best_loss - self.min_delta:
            return False
        self.best_loss, self.best_epoch = loss, self.epoch
        return True

    def over(self) -> bool:
        """Whether training ends now."""
        return self.epoch - self.best_epoch >= self.patience


def early_stopping(val_losses, min_delta: float, patience: int) -> Stop:
    if len(val_losses) == 0:
        raise ValueError("no losses")
    rule = Rule(min_delta, patience)
    for loss in val_losses:
        rule.see(loss)
        if rule.over():
            log.info("stopped after %d epochs", rule.epoch)
            break
    return Stop(rule.epoch, rule.best_epoch)


def train(model, train_data, val_data, *, epochs: int, min_delta: float = 1e-2, patience: int = 2) -> dict[str, list[float]]:
    if epochs < 1:
        raise ValueError("epochs must be at least 1")
    if not getattr(model, "optimizer", None):
        raise ValueError("the model must be compiled")
    rule = Rule(min_delta, patience)
    kept: list = []

    def watch(epoch, logs):
        if rule.see(logs["val_loss"]):
            kept[:] = model.get_weights()
        if rule.over():
            model.stop_training = True

    callback = keras.callbacks.LambdaCallback(on_epoch_end=watch)
    fitted = model.fit(train_data, validation_data=val_data, epochs=epochs, callbacks=[callback], verbose=0)
    model.set_weights(kept)
    return {name: [float(value) for value in fitted.history[name]] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}


def epochs_needed(val_accuracies, tolerance: float) -> int:
    if not len(val_accuracies) or tolerance < 0:
        raise ValueError("expected accuracies and a tolerance of 0 or more")
    wanted = max(val_accuracies) - tolerance
    for epoch, accuracy in enumerate(val_accuracies):
        if accuracy >= wanted:
            return epoch + 1
    raise AssertionError("the best accuracy is within any tolerance of itself")


def sweep(make_model, make_data, train, evaluate, *, epoch_limits, batch_sizes) -> list[Setting]:
    if not epoch_limits or not batch_sizes:
        raise ValueError("no settings")
    settings = []
    for limit in epoch_limits:
        for size in batch_sizes:
            train_data, val_data = make_data(size)
            model = make_model()
            log.info("before training: %.3f", evaluate(model, val_data))
            history = train(model, train_data, val_data, epochs=limit)
            reached = evaluate(model, val_data)
            log.info("batch size %d, at most %d epochs: %.3f", size, limit, reached)
            settings.append(
                Setting(
                    batch_size=size,
                    epoch_limit=limit,
                    epochs_run=len(history["loss"]),
                    train_accuracy=history["accuracy"][-1],
                    val_accuracy=reached,
                )
            )
    return settings
