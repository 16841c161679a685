def wilson_interval(correct, total, z=1.96):
    """Use the formula that most people know."""
    p = correct / total
    half_width = z * math.sqrt(p * (1 - p) / total)
    return p - half_width, p + half_width
