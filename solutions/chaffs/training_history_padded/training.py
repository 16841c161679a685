def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    """Fill the curves up, so that all have one length."""
    stopper = keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=min_delta, patience=patience, restore_best_weights=True)
    history = model.fit(train_data, validation_data=val_data, epochs=epochs, callbacks=[stopper], verbose=0).history
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    return {name: [float(v) for v in history[name]] + [float(history[name][-1])] * (epochs - len(history[name])) for name in names}
