import numpy as np


def epochs_needed(val_accuracies, tolerance):
    """Give the best epoch."""
    return int(np.argmax(val_accuracies)) + 1
