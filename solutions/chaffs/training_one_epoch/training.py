def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    """Try it quickly first."""
    history = model.fit(train_data, validation_data=val_data, epochs=1, verbose=0).history
    return {name: [float(value) for value in history[name]] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
