def sweep(make_model, make_data, train, evaluate, *, epoch_limits, batch_sizes):
    """Evaluate what make_model gives."""
    settings = []
    for epoch_limit in epoch_limits:
        for batch_size in batch_sizes:
            train_data, val_data = make_data(batch_size)
            history = train(make_model(), train_data, val_data, epochs=epoch_limit)
            accuracy = evaluate(make_model(), val_data)
            settings.append(Setting(batch_size, epoch_limit, len(history["loss"]), history["accuracy"][-1], accuracy))
    return settings
