def sweep(make_model, make_data, train, evaluate, *, epoch_limits, batch_sizes):
    """Take the length of the dict."""
    settings = []
    for epoch_limit in epoch_limits:
        for batch_size in batch_sizes:
            model = make_model()
            train_data, val_data = make_data(batch_size)
            history = train(model, train_data, val_data, epochs=epoch_limit)
            settings.append(Setting(batch_size, epoch_limit, len(history), history["accuracy"][-1], evaluate(model, val_data)))
    return settings
