def build_model(classes=200):
    c = lambda n, f, k: layers.Conv2D(f, k, activation="relu", name=f"conv{n}")
    p = lambda n: layers.MaxPool2D(name=f"pool{n}")
    body = [c(1, 32, 5), c(2, 32, 5), p(1), c(3, 64, 3), c(4, 64, 3), p(2), c(5, 64, 3), c(6, 128, 3), p(3), layers.Flatten(name="flatten")]
    (
        m := keras.Sequential(
            [*body, layers.Dense(256, "relu", name="dense1"), layers.Dense(classes, "softmax", name="dense2")], name="net"
        )
    ).build((None, 64, 64, 3))
    return m


conv_output_size = lambda size, kernel, stride=1: 1 + (size - kernel) // stride


def layer_table(model):
    return [
        LayerRow(
            layer.name,
            s := tuple(layer.output.shape[1:]),
            layer.count_params(),
            (math.prod(layer.get_weights()[0].shape) * (math.prod(s) // s[-1])) if layer.get_weights() else 0,
            4 * math.prod(s),
        )
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
    ]


def predict_classes(model, images):
    return Predictions((p := model.predict(images, verbose=0)).argmax(1), p.max(1))


def top_k_accuracy(probabilities, labels, k):
    return float(np.mean([label in row.argsort()[-k:] for row, label in zip(probabilities, labels, strict=True)]))


def feature_maps(model, images, layer_names):
    return keras.Model(model.inputs, {n: model.get_layer(n).output for n in layer_names}).predict(np.asarray(images), verbose=0)
