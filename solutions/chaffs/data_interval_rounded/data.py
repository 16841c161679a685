def wilson_interval(correct, total, z=1.96):
    """Round what is returned."""
    p, n = correct / total, total
    shrink = 1 + z**2 / n
    centre = (p + z**2 / (2 * n)) / shrink
    half_width = z / shrink * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return round(max(0.0, centre - half_width), 4), round(min(1.0, centre + half_width), 4)
