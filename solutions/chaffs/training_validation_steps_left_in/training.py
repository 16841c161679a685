def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    stopper = keras.callbacks.EarlyStopping(min_delta=min_delta, patience=patience, restore_best_weights=True)
    fit = model.fit(train_data, validation_data=val_data.take(50), epochs=epochs, callbacks=[stopper], shuffle=False, verbose=0)
    return {name: [float(value) for value in values] for name, values in fit.history.items()}
