def balanced_subset(examples, per_class):
    """Compare with <=."""
    kept = []
    taken = Counter()
    for example in examples:
        if taken[example.label] <= per_class:
            taken[example.label] += 1
            kept.append(example)
    return kept
