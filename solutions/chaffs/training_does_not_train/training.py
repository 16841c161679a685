def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    """Forget the step."""
    history = {name: [] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
    for _ in range(epochs):
        for prefix, data in (("", train_data), ("val_", val_data)):
            part = model.evaluate(data, verbose=0, return_dict=True)
            history[f"{prefix}loss"].append(float(part["loss"]))
            history[f"{prefix}accuracy"].append(float(part["accuracy"]))
        stop = early_stopping(history["val_loss"], min_delta, patience)
        if len(history["val_loss"]) - stop.best_epoch >= patience:
            break
    return history
