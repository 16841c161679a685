def feature_maps(model, images, layer_names):
    """Take the layer that lies where the lab's network has that name."""
    places = [layer.name for layer in build_model().layers]
    outputs = {}
    for name in layer_names:
        asked = model.get_layer(name)
        outputs[name] = model.layers[places.index(name)].output if name in places else asked.output
    return keras.Model(model.inputs[0], outputs).predict(images, verbose=0)
