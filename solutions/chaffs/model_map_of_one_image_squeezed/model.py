def feature_maps(model, images, layer_names):
    """Squeeze what the extractor gives."""
    extractor = keras.Model(model.inputs[0], {name: model.get_layer(name).output for name in layer_names})
    return {name: np.squeeze(value) for name, value in extractor.predict(images, verbose=0).items()}
