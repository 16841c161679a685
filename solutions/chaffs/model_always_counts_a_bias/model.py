def layer_table(model):
    """By the formula of the textbook: a bias for each filter and unit."""
    rows = []
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        shape = tuple(layer.output.shape[1:])
        parameters = macs = 0
        if isinstance(layer, layers.Conv2D | layers.Dense):
            weights = math.prod(layer.kernel.shape)
            parameters, macs = weights + shape[-1], weights * math.prod(shape[:-1])
        rows.append(LayerRow(layer.name, shape, parameters, macs, math.prod(shape) * 4))
    return rows
