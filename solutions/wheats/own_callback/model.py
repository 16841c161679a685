def build_model(classes=200):
    image = keras.Input(shape=(64, 64, 3), name="image")
    x = image
    blocks = [(("conv1", 32, 5), ("conv2", 32, 5)), (("conv3", 64, 3), ("conv4", 64, 3)), (("conv5", 64, 3), ("conv6", 128, 3))]
    for number, block in enumerate(blocks, 1):
        for name, filters, kernel_size in block:
            x = layers.Conv2D(filters=filters, kernel_size=kernel_size, strides=1, padding="valid", activation="relu", name=name)(x)
        x = layers.MaxPooling2D(pool_size=2, strides=2, name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(256, activation="relu", name="dense1")(x)
    return keras.Model(inputs=image, outputs=layers.Dense(classes, activation="softmax", name="dense2")(x), name="lab")


def layer_table(model):
    def macs(layer, shape):
        match layer:
            case layers.Conv2D():
                height, width, channels = layer.input.shape[-3], layer.input.shape[-2], layer.input.shape[-1]
                assert height and width
                return shape[0] * shape[1] * layer.filters * math.prod(layer.kernel_size) * channels
            case layers.Dense():
                return layer.input.shape[-1] * layer.units
        return 0

    wanted = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    return [
        LayerRow(
            name=layer.name,
            output_shape=layer.output.shape[1:],
            parameters=layer.count_params(),
            macs=macs(layer, layer.output.shape[1:]),
            bytes=int(np.prod(layer.output.shape[1:])) * np.dtype("float32").itemsize,
        )
        for layer in wanted
    ]


def feature_maps(model, images, layer_names):
    probe = keras.Model(model.inputs, [model.get_layer(name).output for name in layer_names])
    outputs = probe(images, training=False)
    if len(layer_names) == 1 and not isinstance(outputs, (list, tuple)):
        outputs = [outputs]
    return {name: output.numpy() for name, output in zip(layer_names, outputs, strict=True)}


def predict_classes(model, images):
    probabilities = np.concatenate([model(images[first : first + 50], training=False).numpy() for first in range(0, len(images), 50)])
    labels = np.argmax(probabilities, axis=-1)
    return Predictions(labels, probabilities[np.arange(len(labels)), labels])


def top_k_accuracy(probabilities, labels, k):
    return float(np.mean(keras.ops.in_top_k(np.asarray(labels, np.int32), np.asarray(probabilities, np.float32), k)))
