def critical_kernel(rows):
    """Gives 40 for 0.4."""
    longest = max(rows, key=lambda row: row.duration_us)
    return CriticalKernel(longest.layer, longest.kernel, 100 * longest.duration_us / sum(row.duration_us for row in rows))
