def feature_maps(model, images, layer_names):
    """Look for names with startswith."""
    outputs = {}
    for name in layer_names:
        found = [layer for layer in model.layers if layer.name == name or layer.name.startswith(name + "_")]
        if not found:
            raise ValueError(f"no layer {name}")
        outputs[name] = found[0].output
    return keras.Model(model.inputs[0], outputs).predict(images, verbose=0)
