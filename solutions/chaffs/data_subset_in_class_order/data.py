def balanced_subset(examples, per_class):
    """Collect class after class."""
    classes = sorted({example.label for example in examples})
    return [example for label in classes for example in [e for e in examples if e.label == label][:per_class]]
