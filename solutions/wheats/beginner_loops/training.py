def early_stopping(val_losses, min_delta, patience):
    best_loss = val_losses[0]
    best_epoch = 1
    not_improved = 0
    stopped = False
    i = 1
    while i < len(val_losses) and stopped == False:
        if val_losses[i] < best_loss - min_delta:
            best_loss = val_losses[i]
            best_epoch = i + 1
            not_improved = 0
        else:
            not_improved = not_improved + 1
        if not_improved >= patience:
            stopped = True
        i = i + 1
    return Stop(i, best_epoch)


def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    losses = []
    accuracies = []
    val_losses = []
    val_accuracies = []
    best_weights = []
    best_loss = float("inf")
    not_improved = 0
    epoch = 1
    go_on = True
    while go_on:
        history = model.fit(train_data, epochs=1, verbose=0)
        losses.append(float(history.history["loss"][0]))
        accuracies.append(float(history.history["accuracy"][0]))
        result = model.evaluate(val_data, verbose=0)
        val_loss = float(result[0])
        val_losses.append(val_loss)
        val_accuracies.append(float(result[1]))
        print("Epoch " + str(epoch) + ": validation loss " + str(val_loss))
        if val_loss < best_loss - min_delta:
            best_loss = val_loss
            not_improved = 0
            best_weights = []
            for layer in model.layers:
                best_weights.append(layer.get_weights())
        else:
            not_improved += 1
        if not_improved == patience:
            go_on = False
        if epoch == epochs:
            go_on = False
        epoch += 1
    for i in range(len(model.layers)):
        model.layers[i].set_weights(best_weights[i])
    history = {}
    history["loss"] = losses
    history["accuracy"] = accuracies
    history["val_loss"] = val_losses
    history["val_accuracy"] = val_accuracies
    return history


def sweep(make_model, make_data, train, evaluate, *, epoch_limits, batch_sizes):
    settings = []
    i = 0
    while i < len(epoch_limits):
        j = 0
        while j < len(batch_sizes):
            print("Training with " + str(epoch_limits[i]) + " epochs and batch size " + str(batch_sizes[j]))
            data = make_data(batch_sizes[j])
            model = make_model()
            history = train(model, data[0], data[1], epochs=epoch_limits[i])
            train_accuracies = history["accuracy"]
            val_accuracy = evaluate(model, data[1])
            settings.append(
                Setting(
                    batch_size=batch_sizes[j],
                    epoch_limit=epoch_limits[i],
                    epochs_run=len(train_accuracies),
                    train_accuracy=train_accuracies[len(train_accuracies) - 1],
                    val_accuracy=val_accuracy,
                )
            )
            j += 1
        i += 1
    return settings


def epochs_needed(val_accuracies, tolerance):
    best = max(val_accuracies)
    epoch = 0
    while val_accuracies[epoch] < best - tolerance:
        epoch += 1
    return epoch + 1
