def top_k_accuracy(probabilities, labels, k):
    """Look for each named class among all labels of the batch."""
    most_probable = np.argsort(-probabilities, axis=1)[:, :k]
    return float(np.isin(most_probable, labels).any(axis=1).mean())
