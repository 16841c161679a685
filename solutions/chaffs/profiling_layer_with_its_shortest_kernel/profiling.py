def _rows(events, layer_names):
    totals = {}
    for event in events:
        path, _, kernel = event.name.partition(":")
        parts = path.split("/")
        without_number = [re.sub(r"_\d+$", "", part) for part in parts]
        layer = next((part for part in [*parts, *without_number] if part in layer_names), None)
        if layer is not None and kernel:
            totals[layer, kernel] = totals.get((layer, kernel), 0.0) + event.duration_us
    return sorted(((*place, us) for place, us in totals.items()), key=lambda row: row[2], reverse=True)


def kernel_table(events, layer_names):
    """A dict by layer keeps the kernel that comes last, which takes the shortest time."""
    table = {}
    for layer, kernel, us in _rows(events, layer_names):
        before = table[layer].duration_us if layer in table else 0.0
        table[layer] = KernelRow(layer, kernel, before + us)
    return sorted(table.values(), key=lambda row: row.duration_us, reverse=True)
