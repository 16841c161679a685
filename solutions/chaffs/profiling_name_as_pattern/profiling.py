def kernel_table(events, layer_names):
    """The dot of conv.1 stands for any character."""
    totals = {}
    for event in events:
        path, _, kernel = event.name.partition(":")
        parts = path.split("/")
        layer = next((part for part in parts if part in layer_names), None)
        if layer is None:
            layer = next((name for part in parts for name in layer_names if re.fullmatch(name + r"_\d+", part)), None)
        if layer is not None and kernel:
            totals[layer, kernel] = totals.get((layer, kernel), 0.0) + event.duration_us
    rows = [KernelRow(layer, kernel, duration_us) for (layer, kernel), duration_us in totals.items()]
    return sorted(rows, key=lambda row: row.duration_us, reverse=True)
