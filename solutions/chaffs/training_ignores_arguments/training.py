def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    """Early stopping always has min_delta 1e-2 and patience 2."""
    stopper = keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=1e-2, patience=2, restore_best_weights=True)
    history = model.fit(train_data, validation_data=val_data, epochs=epochs, callbacks=[stopper], verbose=0).history
    return {name: [float(value) for value in history[name]] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
