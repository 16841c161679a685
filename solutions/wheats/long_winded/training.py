def early_stopping(val_losses, min_delta, patience):
    best = float("inf")
    best_epoch = 0
    wait = 0
    epoch = 0
    for loss in val_losses:
        epoch = epoch + 1
        if epoch == 1 or loss < best - min_delta:
            best = loss
            best_epoch = epoch
            wait = 0
        else:
            wait = wait + 1
            if wait == patience:
                break
    return Stop(epoch, best_epoch)


def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    history = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}
    best_weights = None
    for epoch in range(epochs):
        h = model.fit(train_data, validation_data=val_data, epochs=1, verbose=0).history
        for key in history:
            history[key].append(float(h[key][0]))
        stop = early_stopping(history["val_loss"], min_delta, patience)
        if stop.best_epoch == epoch + 1:
            best_weights = model.get_weights()
        if epoch + 1 - stop.best_epoch >= patience:
            print("stopped after", epoch + 1)
            break
    model.set_weights(best_weights)
    return history


def sweep(make_model, make_data, train, evaluate, *, epoch_limits, batch_sizes):
    results = []
    for i in range(len(epoch_limits)):
        for j in range(len(batch_sizes)):
            train_data, val_data = make_data(batch_sizes[j])
            model = make_model()
            history = train(model, train_data, val_data, epochs=epoch_limits[i])
            n = len(history["accuracy"])
            accuracy = evaluate(model, val_data)
            results.append(Setting(batch_sizes[j], epoch_limits[i], n, history["accuracy"][n - 1], accuracy))
    return results


def epochs_needed(val_accuracies, tolerance):
    best = 0
    for accuracy in val_accuracies:
        if accuracy > best:
            best = accuracy
    for i in range(len(val_accuracies)):
        if val_accuracies[i] >= best - tolerance:
            return i + 1
