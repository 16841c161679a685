def early_stopping(val_losses, min_delta, patience):
    """best_epoch is where the loss is smallest."""
    best, best_epoch = val_losses[0], 1
    for epoch, loss in enumerate(val_losses, start=1):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        if epoch - best_epoch >= patience:
            return Stop(epoch, val_losses[:epoch].index(min(val_losses[:epoch])) + 1)
    return Stop(len(val_losses), val_losses.index(min(val_losses)) + 1)
