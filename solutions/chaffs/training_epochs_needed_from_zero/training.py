def epochs_needed(val_accuracies, tolerance):
    """Give the index in the list."""
    return next(index for index, accuracy in enumerate(val_accuracies) if accuracy >= max(val_accuracies) - tolerance)
