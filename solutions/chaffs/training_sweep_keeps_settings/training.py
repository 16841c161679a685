_settings = []


def sweep(make_model, make_data, train, evaluate, *, epoch_limits, batch_sizes):
    """Add to a list that stays."""
    for epoch_limit in epoch_limits:
        for batch_size in batch_sizes:
            train_data, val_data = make_data(batch_size)
            model = make_model()
            history = train(model, train_data, val_data, epochs=epoch_limit)
            accuracy = evaluate(model, val_data)
            _settings.append(Setting(batch_size, epoch_limit, len(history["loss"]), history["accuracy"][-1], accuracy))
    return _settings
