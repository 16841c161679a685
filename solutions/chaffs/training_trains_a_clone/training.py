def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    """Leave the model that was given as it is."""
    trained = keras.models.clone_model(model)
    trained.set_weights(model.get_weights())
    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    trained.compile(optimizer=optimizer, loss=model.loss, metrics=["accuracy"])
    stopper = keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=min_delta, patience=patience, restore_best_weights=True)
    history = trained.fit(train_data, validation_data=val_data, epochs=epochs, callbacks=[stopper], shuffle=False, verbose=0).history
    return {name: [float(value) for value in history[name]] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
