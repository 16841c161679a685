def early_stopping(val_losses, min_delta, patience):
    """No loss is larger than ten."""
    best_loss, best_epoch = 10.0, 1
    for epoch, loss in enumerate(val_losses, start=1):
        if loss < best_loss - min_delta:
            best_loss, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            return Stop(epochs_run=epoch, best_epoch=best_epoch)
    return Stop(epochs_run=len(val_losses), best_epoch=best_epoch)
