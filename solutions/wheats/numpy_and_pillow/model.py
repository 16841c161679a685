def build_model(classes=200):
    """Add one layer after the other."""
    model = keras.Sequential()
    model.add(keras.Input((64, 64, 3)))
    for block, (first, second, kernel) in enumerate([(32, 32, 5), (64, 64, 3), (64, 128, 3)], start=1):
        for number, filters in ((2 * block - 1, first), (2 * block, second)):
            model.add(layers.Conv2D(filters, (kernel, kernel), name=f"conv{number}"))
            model.add(layers.ReLU(name=f"relu{number}"))
        model.add(layers.MaxPooling2D(name=f"pool{block}"))
    model.add(layers.Flatten(name="flatten"))
    model.add(layers.Dense(256, "relu", name="dense1"))
    model.add(layers.Dropout(0.3))
    model.add(layers.Dense(classes, name="dense2"))
    model.add(layers.Softmax())
    return model


def conv_output_size(size, kernel, stride=1):
    """Count the places."""
    return len(range(0, size - kernel + 1, stride))


def layer_table(model):
    """Work all numbers out from the layers' settings."""
    rows = []
    shape = model.input_shape[1:]
    for layer in model.layers:
        config = layer.get_config()
        parameters = macs = 0
        if isinstance(layer, layers.InputLayer):
            continue
        if isinstance(layer, layers.Conv2D):
            window = config["kernel_size"]
            height, width = (_places(s, k, t, config["padding"]) for s, k, t in zip(shape, window, config["strides"], strict=False))
            macs = height * width * config["filters"] * window[0] * window[1] * shape[2]
            parameters = (window[0] * window[1] * shape[2] + config["use_bias"]) * config["filters"]
            shape = (height, width, config["filters"])
        elif isinstance(layer, layers.MaxPooling2D):
            height, width = (
                _places(s, k, t, config["padding"]) for s, k, t in zip(shape, config["pool_size"], config["strides"], strict=False)
            )
            shape = (height, width, shape[2])
        elif isinstance(layer, layers.Flatten):
            shape = (int(np.prod(shape)),)
        elif isinstance(layer, layers.Dense):
            macs = shape[0] * config["units"]
            parameters = macs + config["units"] * config["use_bias"]
            shape = (config["units"],)
        rows.append(LayerRow(layer.name, list(shape), np.int64(parameters), macs, np.prod(shape) * np.float32().nbytes))
    return rows


def _places(size, window, stride, padding):
    return -(-size // stride) if padding == "same" else (size - window) // stride + 1


def feature_maps(model, images, layer_names):
    """Make a model of its own for each layer."""
    return {name: keras.Model(model.inputs, model.get_layer(name).output)(images).numpy() for name in layer_names}


def predict_classes(model, images):
    """Cut the images into parts of at most 50."""
    parts = [np.asarray(model(part)) for part in np.array_split(images, -(-len(images) // 50))]
    probabilities = np.concatenate(parts)
    labels = np.argmax(probabilities, axis=-1).astype(np.int32)
    return Predictions(labels, np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0])


def top_k_accuracy(probabilities, labels, k):
    """Count how many classes of a row are more probable than the true one."""
    own = probabilities[np.arange(len(labels)), labels]
    better = (probabilities > own[:, np.newaxis]).sum(axis=1)
    return np.mean(better < k, dtype=np.float32)
