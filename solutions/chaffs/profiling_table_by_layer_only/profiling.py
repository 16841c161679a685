def kernel_table(events, layer_names):
    """One row a layer, with the kernel that came first."""
    totals = {}
    for event in events:
        path, _, kernel = event.name.partition(":")
        parts = path.split("/")
        parts += [re.sub(r"_\d+$", "", part) for part in parts]
        layer = next((part for part in parts if part in layer_names), None)
        if layer is not None and kernel:
            first, us = totals.get(layer, (kernel, 0.0))
            totals[layer] = (first, us + event.duration_us)
    rows = [KernelRow(layer, kernel, us) for layer, (kernel, us) in totals.items()]
    return sorted(rows, key=lambda row: row.duration_us, reverse=True)
