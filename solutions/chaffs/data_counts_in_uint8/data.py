def class_counts(examples, classes):
    """Small numbers need small types."""
    counts = np.zeros(classes, np.uint8)
    for example in examples:
        counts[example.label] += np.uint8(1)
    return counts
