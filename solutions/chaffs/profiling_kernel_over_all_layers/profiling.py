def critical_kernel(rows):
    """A kernel that two layers share looks longer than it is."""
    totals = {}
    for row in rows:
        totals[row.kernel] = totals.get(row.kernel, 0.0) + row.duration_us
    kernel = max(totals, key=totals.get)
    longest = max((row for row in rows if row.kernel == kernel), key=lambda row: row.duration_us)
    return CriticalKernel(longest.layer, kernel, longest.duration_us / sum(totals.values()))
