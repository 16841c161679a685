def balanced_subset(examples, per_class):
    """Take the first part of the list, as long as the subset should be."""
    classes = len({example.label for example in examples})
    return list(examples[: per_class * classes])
