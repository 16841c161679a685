def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    """Early stopping watches val_accuracy, and takes less for better."""
    stopper = keras.callbacks.EarlyStopping(
        monitor="val_accuracy", mode="min", min_delta=min_delta, patience=patience, restore_best_weights=True
    )
    history = model.fit(train_data, validation_data=val_data, epochs=epochs, callbacks=[stopper], verbose=0).history
    return {name: [float(value) for value in history[name]] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
