def critical_kernel(rows):
    times = {}
    for row in rows:
        times[row.layer] = times.get(row.layer, 0.0) + row.duration_us
    layer = max(times, key=times.get)
    longest = max((row for row in rows if row.layer == layer), key=lambda row: row.duration_us)
    return CriticalKernel(longest.layer, longest.kernel, longest.duration_us / sum(times.values()))
