def early_stopping(val_losses, min_delta, patience):
    """min_delta is added instead of subtracted."""
    best, best_epoch = val_losses[0], 1
    for epoch, loss in enumerate(val_losses[1:], start=2):
        if loss < best + min_delta:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            return Stop(epoch, best_epoch)
    return Stop(len(val_losses), best_epoch)
