def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    """Return fit's own object."""
    stopper = keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=min_delta, patience=patience, restore_best_weights=True)
    return model.fit(train_data, validation_data=val_data, epochs=epochs, callbacks=[stopper], verbose=0)
