def layer_table(model):
    """Take the input's size."""
    rows = []
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        shape = tuple(layer.output.shape[1:])
        macs = 0
        if isinstance(layer, layers.Conv2D | layers.Dense):
            macs = math.prod(layer.kernel.shape) * math.prod(layer.input.shape[1:-1])
        rows.append(LayerRow(layer.name, shape, layer.count_params(), macs, math.prod(shape) * 4))
    return rows
