def early_stopping(val_losses, min_delta, patience):
    """best_epoch is the index in the list."""
    best, best_index = val_losses[0], 0
    for index, loss in enumerate(val_losses):
        if loss < best - min_delta:
            best, best_index = loss, index
        if index - best_index >= patience:
            return Stop(index + 1, best_index)
    return Stop(len(val_losses), best_index)
