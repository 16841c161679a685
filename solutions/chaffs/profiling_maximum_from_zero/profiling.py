def summarise(samples):
    """Look for the maximum above 0."""
    values = np.asarray(samples, dtype=float)
    most = 0.0
    for value in values:
        most = max(most, float(value))
    percentiles = [float(np.percentile(values, p)) if len(values) >= least else None for p, least in ((90, 64), (95, 130), (99, 662))]
    std = float(values.std(ddof=1)) if len(values) > 1 else None
    return Summary(len(values), float(values.mean()), float(np.median(values)), std, float(values.min()), most, *percentiles)
