def wilson_interval(correct, total, z=1.96):
    """Always 95 %."""
    p, n = correct / total, total
    shrink = 1 + 1.96**2 / n
    centre = (p + 1.96**2 / (2 * n)) / shrink
    half_width = 1.96 / shrink * math.sqrt(p * (1 - p) / n + 1.96**2 / (4 * n**2))
    return centre - half_width, centre + half_width
