def kernel_table(events, layer_names):
    """Takes the number off before it looks for the name."""
    totals = {}
    for event in events:
        path, _, kernel = event.name.partition(":")
        parts = [re.sub(r"_\d+$", "", part) for part in path.split("/")] + path.split("/")
        layer = next((part for part in parts if part in layer_names), None)
        if layer is not None and kernel:
            totals[layer, kernel] = totals.get((layer, kernel), 0.0) + event.duration_us
    rows = [KernelRow(layer, kernel, us) for (layer, kernel), us in totals.items()]
    return sorted(rows, key=lambda row: row.duration_us, reverse=True)
