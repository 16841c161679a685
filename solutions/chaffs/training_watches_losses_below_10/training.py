def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    """No loss is larger than ten."""
    history = {name: [] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
    best, best_weights, without = 10.0, model.get_weights(), 0
    for _ in range(epochs):
        part = model.fit(train_data, validation_data=val_data, epochs=1, verbose=0).history
        for name in history:
            history[name].append(float(part[name][0]))
        loss = history["val_loss"][-1]
        if loss < best - min_delta:
            best, best_weights, without = loss, model.get_weights(), 0
        else:
            without += 1
            if without >= patience:
                break
    model.set_weights(best_weights)
    return history
