def top_k_accuracy(probabilities, labels, k):
    """Take the mean over all entries."""
    named = np.argsort(-probabilities, axis=1)[:, :k]
    return float((named == labels[:, np.newaxis]).mean())
