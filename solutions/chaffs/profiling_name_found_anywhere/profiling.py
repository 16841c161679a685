def kernel_table(events, layer_names):
    """Takes the first layer whose name occurs."""
    totals = {}
    for event in events:
        path, _, kernel = event.name.partition(":")
        layer = next((name for name in layer_names if name in path), None)
        if layer is not None and kernel:
            totals[layer, kernel] = totals.get((layer, kernel), 0.0) + event.duration_us
    rows = [KernelRow(layer, kernel, us) for (layer, kernel), us in totals.items()]
    return sorted(rows, key=lambda row: row.duration_us, reverse=True)
