def train(model, train_data, val_data, *, epochs, min_delta=0.0, patience=2):
    """As Keras has it: every smaller loss is an improvement."""
    stopper = keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=min_delta, patience=patience, restore_best_weights=True)
    history = model.fit(train_data, validation_data=val_data, epochs=epochs, callbacks=[stopper], shuffle=False, verbose=0).history
    return {name: [float(value) for value in history[name]] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
