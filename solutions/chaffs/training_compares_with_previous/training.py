def early_stopping(val_losses, min_delta, patience):
    """Each loss is compared with that of the epoch before."""
    without, best_epoch = 0, 1
    for index in range(1, len(val_losses)):
        if val_losses[index] < val_losses[index - 1] - min_delta:
            without, best_epoch = 0, index + 1
        else:
            without += 1
        if without >= patience:
            return Stop(index + 1, best_epoch)
    return Stop(len(val_losses), best_epoch)
