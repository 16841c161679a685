def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    losses, accuracies, val_losses, val_accuracies = [], [], [], []
    snapshots = {}
    for epoch in range(1, epochs + 1):
        fitted = model.fit(train_data, epochs=epoch, initial_epoch=epoch - 1, verbose=0)
        evaluated = model.evaluate(val_data, verbose=0, return_dict=True)
        losses.append(float(fitted.history["loss"][0]))
        accuracies.append(float(fitted.history["accuracy"][0]))
        val_losses.append(float(evaluated["loss"]))
        val_accuracies.append(float(evaluated["accuracy"]))
        stop = early_stopping(val_losses, min_delta, patience)
        snapshots[epoch] = model.get_weights()
        snapshots = {kept: weights for kept, weights in snapshots.items() if kept in (stop.best_epoch, epoch)}
        if epoch - stop.best_epoch >= patience:
            break
    model.set_weights(snapshots[stop.best_epoch])
    return {"loss": losses, "accuracy": accuracies, "val_loss": val_losses, "val_accuracy": val_accuracies}
