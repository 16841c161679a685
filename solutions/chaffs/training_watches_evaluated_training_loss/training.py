def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    history = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}
    best, kept, waited = float("inf"), model.get_weights(), 0
    for _ in range(epochs):
        fit = model.fit(train_data, epochs=1, shuffle=False, verbose=0)
        loss, _ = model.evaluate(train_data, verbose=0)
        val_loss, val_accuracy = model.evaluate(val_data, verbose=0)
        for name, value in zip(history, (fit.history["loss"][0], fit.history["accuracy"][0], val_loss, val_accuracy)):
            history[name].append(float(value))
        if loss < best - min_delta:
            best, kept, waited = loss, model.get_weights(), 0
        else:
            waited += 1
            if waited == patience:
                break
    model.set_weights(kept)
    return history
