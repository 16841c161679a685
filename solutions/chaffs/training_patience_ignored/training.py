def early_stopping(val_losses, min_delta, patience):
    """The list is always gone through to its end."""
    best, best_epoch = val_losses[0], 1
    for epoch, loss in enumerate(val_losses, start=1):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
    return Stop(len(val_losses), best_epoch)
