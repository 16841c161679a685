def top_k_accuracy(probabilities, labels, k):
    """Forget that argsort sorts upwards."""
    named = np.argsort(probabilities, axis=1)[:, :k]
    return float((named == labels[:, np.newaxis]).any(axis=1).mean())
