def feature_maps(model, images, layer_names):
    """Run the layers as fit does."""
    outputs = {name: model.get_layer(name).output for name in layer_names}
    extractor = keras.Model(model.inputs, outputs)
    return {name: np.asarray(value) for name, value in extractor(images, training=True).items()}
