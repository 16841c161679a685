def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    """Early stopping without min_delta."""
    stopper = keras.callbacks.EarlyStopping(monitor="val_loss", patience=patience, restore_best_weights=True)
    history = model.fit(train_data, validation_data=val_data, epochs=epochs, callbacks=[stopper], verbose=0).history
    return {name: [float(value) for value in history[name]] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
