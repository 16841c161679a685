def layer_table(model):
    """What there is to learn."""
    rows = []
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        shape = tuple(layer.output.shape[1:])
        macs = math.prod(layer.kernel.shape) * math.prod(shape[:-1]) if isinstance(layer, layers.Conv2D | layers.Dense) else 0
        parameters = sum(math.prod(weight.shape) for weight in layer.trainable_weights)
        rows.append(LayerRow(layer.name, shape, parameters, macs, math.prod(shape) * 4))
    return rows
