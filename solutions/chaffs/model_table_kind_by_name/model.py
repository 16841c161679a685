def layer_table(model):
    """Take the layers named conv... and dense... to have weights."""
    rows = []
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        shape = tuple(layer.output.shape[1:])
        macs = 0
        if layer.name.startswith(("conv", "dense")):
            macs = math.prod(layer.kernel.shape) * math.prod(shape[:-1])
        rows.append(LayerRow(layer.name, shape, layer.count_params(), macs, math.prod(shape) * 4))
    return rows
