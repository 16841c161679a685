def feature_maps(model, images, layer_names):
    """Collect in the model's order, and pair with the names as they were asked for."""
    outputs = [layer.output for layer in model.layers if layer.name in layer_names]
    values = keras.Model(model.inputs, outputs)(images, training=False)
    return dict(zip(layer_names, [np.asarray(value) for value in values], strict=True))
