def top_k_accuracy(probabilities, labels, k):
    """Compare the most probable class only."""
    return float((probabilities.argmax(axis=1) == labels).mean())
