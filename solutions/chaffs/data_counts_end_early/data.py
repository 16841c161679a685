def class_counts(examples, classes):
    """Leave out minlength."""
    return np.bincount(np.array([example.label for example in examples], dtype=np.int64))
