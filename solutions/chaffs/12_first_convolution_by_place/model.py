def feature_maps(model, images, layer_names):
    """Count the layers from model.layers[1], as if the first one were always the input."""
    config = [layer.name for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    outputs = {name: model.layers[min(1 + config.index(name), len(model.layers) - 1)].output for name in layer_names}
    extractor = keras.Model(model.inputs[0], outputs)
    return {name: np.asarray(value) for name, value in extractor.predict(images, verbose=0).items()}
