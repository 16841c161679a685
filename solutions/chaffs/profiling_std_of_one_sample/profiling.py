def summarise(samples):
    """One sample has no spread."""
    values = np.asarray(samples, dtype=np.float64)
    count = len(values)
    std = float(values.std(ddof=1)) if count > 1 else 0.0
    p90, p95, p99 = (float(np.percentile(values, p)) if count >= n else None for p, n in ((90, 64), (95, 130), (99, 662)))
    return Summary(count, float(values.mean()), float(np.median(values)), std, float(values.min()), float(values.max()), p90, p95, p99)
