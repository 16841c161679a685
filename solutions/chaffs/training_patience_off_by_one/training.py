def early_stopping(val_losses, min_delta, patience):
    """Training goes on one epoch after patience is used up."""
    best, best_epoch = val_losses[0], 1
    for epoch, loss in enumerate(val_losses, start=1):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        if epoch - best_epoch > patience:
            return Stop(epoch, best_epoch)
    return Stop(len(val_losses), best_epoch)
