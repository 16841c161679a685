def layer_table(model):
    """Keep the input layer."""
    rows = []
    for layer in model.layers:
        shape = tuple((layer.output[0] if isinstance(layer.output, list) else layer.output).shape[1:])
        macs = 0
        if isinstance(layer, layers.Conv2D | layers.Dense):
            macs = math.prod(layer.kernel.shape) * math.prod(shape[:-1])
        rows.append(LayerRow(layer.name, shape, layer.count_params(), macs, math.prod(shape) * 4))
    return rows
