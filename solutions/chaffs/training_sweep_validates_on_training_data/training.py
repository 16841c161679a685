def sweep(make_model, make_data, train, evaluate, *, epoch_limits, batch_sizes):
    """Validates on what it trains on."""
    settings = []
    for epoch_limit in epoch_limits:
        for batch_size in batch_sizes:
            model = make_model()
            train_data, val_data = make_data(batch_size)
            history = train(model, train_data, train_data, epochs=epoch_limit)
            accuracy = evaluate(model, val_data)
            settings.append(Setting(batch_size, epoch_limit, len(history["loss"]), history["accuracy"][-1], accuracy))
    return settings
