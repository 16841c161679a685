def early_stopping(val_losses, min_delta, patience):
    """The best epoch has the smallest loss."""
    smallest = list(val_losses).index(min(val_losses)) + 1
    best_loss, best_epoch = val_losses[0], 1
    for epoch, loss in enumerate(val_losses, start=1):
        if loss < best_loss - min_delta:
            best_loss, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            return Stop(epochs_run=epoch, best_epoch=smallest)
    return Stop(epochs_run=len(val_losses), best_epoch=smallest)
