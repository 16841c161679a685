_models = {}


def sweep(make_model, make_data, train, evaluate, *, epoch_limits, batch_sizes):
    """Make a model for each setting once."""
    settings = []
    for epoch_limit in epoch_limits:
        for batch_size in batch_sizes:
            model = _models.setdefault((epoch_limit, batch_size), None) or make_model()
            _models[epoch_limit, batch_size] = model
            train_data, val_data = make_data(batch_size)
            history = train(model, train_data, val_data, epochs=epoch_limit)
            settings.append(Setting(batch_size, epoch_limit, len(history["loss"]), history["accuracy"][-1], evaluate(model, val_data)))
    return settings
