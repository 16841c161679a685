def sweep(make_model, make_data, train, evaluate, *, epoch_limits, batch_sizes):
    """Go through the batch sizes outside."""
    settings = []
    for batch_size in batch_sizes:
        train_data, val_data = make_data(batch_size)
        for epoch_limit in epoch_limits:
            model = make_model()
            history = train(model, train_data, val_data, epochs=epoch_limit)
            settings.append(Setting(batch_size, epoch_limit, len(history["loss"]), history["accuracy"][-1], evaluate(model, val_data)))
    return settings
