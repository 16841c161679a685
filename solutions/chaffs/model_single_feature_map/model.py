def feature_maps(model, images, layer_names):
    """Pair names and outputs, of which Keras gives no list where there is one."""
    extractor = keras.Model(model.inputs, [model.get_layer(name).output for name in layer_names])
    return dict(zip(layer_names, extractor.predict(images, verbose=0)))
