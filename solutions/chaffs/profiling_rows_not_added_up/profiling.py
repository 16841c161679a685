def kernel_table(events, layer_names):
    """A row an event."""
    rows = []
    for event in events:
        path, _, kernel = event.name.partition(":")
        parts = path.split("/")
        parts += [re.sub(r"_\d+$", "", part) for part in parts]
        layer = next((part for part in parts if part in layer_names), None)
        if layer is not None and kernel:
            rows.append(KernelRow(layer, kernel, event.duration_us))
    return sorted(rows, key=lambda row: row.duration_us, reverse=True)
