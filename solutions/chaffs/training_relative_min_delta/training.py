def early_stopping(val_losses, min_delta, patience):
    """Compare with a part of the best."""
    best, best_epoch = val_losses[0], 1
    for epoch, loss in enumerate(val_losses[1:], start=2):
        if loss < best * (1 - min_delta):
            best, best_epoch = loss, epoch
        elif epoch - best_epoch >= patience:
            return Stop(epochs_run=epoch, best_epoch=best_epoch)
    return Stop(epochs_run=len(val_losses), best_epoch=best_epoch)
