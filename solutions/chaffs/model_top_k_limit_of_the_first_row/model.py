def top_k_accuracy(probabilities, labels, k):
    """Compare each row with a number of the first one."""
    limit = np.sort(probabilities[0])[-k]
    return float((probabilities[np.arange(len(labels)), labels] >= limit).mean())
