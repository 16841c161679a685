def sweep(make_model, make_data, train, evaluate, *, epoch_limits, batch_sizes):
    """Keep one model, and set its weights and its steps back."""
    model = make_model()
    start = model.get_weights()
    settings = []
    for epoch_limit in epoch_limits:
        for batch_size in batch_sizes:
            model.set_weights(start)
            model.optimizer.iterations.assign(0)
            train_data, val_data = make_data(batch_size)
            history = train(model, train_data, val_data, epochs=epoch_limit)
            settings.append(Setting(batch_size, epoch_limit, len(history["loss"]), history["accuracy"][-1], evaluate(model, val_data)))
    return settings
