def end_to_end_us(events, layer_names):
    """Adds up the table."""
    return sum(row.duration_us for row in kernel_table(events, layer_names))
