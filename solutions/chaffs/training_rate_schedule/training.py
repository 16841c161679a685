def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    """With the schedule of Keras' handbook."""
    stopper = keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=min_delta, patience=patience, restore_best_weights=True)
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate if epoch < 10 else rate * 0.9)
    history = model.fit(
        train_data, validation_data=val_data, epochs=epochs, callbacks=[stopper, schedule], shuffle=False, verbose=0
    ).history
    return {name: [float(value) for value in history[name]] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
