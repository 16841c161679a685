def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    stopper = keras.callbacks.EarlyStopping(min_delta=min_delta, patience=patience, restore_best_weights=True)
    steps = sum(1 for _ in train_data)
    one = train_data.take(1).repeat(steps)
    fit = model.fit(one, validation_data=val_data, epochs=epochs, callbacks=[stopper], shuffle=False, verbose=0)
    return {name: [float(value) for value in values] for name, values in fit.history.items()}
