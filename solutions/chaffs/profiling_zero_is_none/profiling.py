def summarise(samples):
    """0.0 counts as False."""
    values = np.asarray(samples, dtype=np.float64)
    count = len(values)
    std = float(values.std(ddof=1)) if count > 1 else None
    p90, p95, p99 = (float(np.percentile(values, p)) if count >= n else None for p, n in ((90, 64), (95, 130), (99, 662)))
    middle = (float(values.mean()), float(np.median(values)))
    return Summary(count, *middle, std or None, float(values.min()), float(values.max()), p90 or None, p95 or None, p99 or None)
