def summarise(samples):
    """Gives every percentile of any number of samples."""
    values = np.asarray(samples, dtype=np.float64)
    std = float(values.std(ddof=1)) if len(values) > 1 else None
    p90, p95, p99 = (float(value) for value in np.percentile(values, (90, 95, 99)))
    return Summary(
        len(values), float(values.mean()), float(np.median(values)), std, float(values.min()), float(values.max()), p90, p95, p99
    )
