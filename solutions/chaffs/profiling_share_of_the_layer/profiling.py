def critical_kernel(rows):
    """Divides by the time of one layer."""
    longest = max(rows, key=lambda row: row.duration_us)
    layer_us = sum(row.duration_us for row in rows if row.layer == longest.layer)
    return CriticalKernel(longest.layer, longest.kernel, longest.duration_us / layer_us)
