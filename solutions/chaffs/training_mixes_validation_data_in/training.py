def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    stopper = keras.callbacks.EarlyStopping(min_delta=min_delta, patience=patience, restore_best_weights=True)
    everything = train_data.concatenate(val_data)
    count = sum(len(images) for images, _ in everything)
    steps = sum(1 for _ in train_data)
    mixed = everything.unbatch().batch(-(-count // steps))
    fit = model.fit(mixed, validation_data=val_data, epochs=epochs, callbacks=[stopper], shuffle=False, verbose=0)
    return {name: [float(value) for value in values] for name, values in fit.history.items()}
