def kernel_table(events, layer_names):
    """The ten kernels that matter most."""
    totals = {}
    for event in events:
        path, _, kernel = event.name.partition(":")
        parts = path.split("/")
        without_number = [re.sub(r"_\d+$", "", part) for part in parts]
        layer = next((part for part in [*parts, *without_number] if part in layer_names), None)
        if layer is not None and kernel:
            totals[layer, kernel] = totals.get((layer, kernel), 0.0) + event.duration_us
    rows = [KernelRow(layer, kernel, duration_us) for (layer, kernel), duration_us in totals.items()]
    return sorted(rows, key=lambda row: row.duration_us, reverse=True)[:10]
