from collections import namedtuple

Places = namedtuple("Places", "height width channels")


class LabNetwork(keras.Model):
    """The network as a class of its own."""

    def __init__(self, classes):
        super().__init__(name="lab_network")
        self.convolutions = [
            layers.Conv2D(filters, kernel, activation=keras.activations.relu, name=f"conv{number}")
            for number, (filters, kernel) in enumerate([(32, 5), (32, 5), (64, 3), (64, 3), (64, 3), (128, 3)], start=1)
        ]
        self.poolings = [layers.MaxPool2D((2, 2), name=f"pool{number}") for number in (1, 2, 3)]
        self.flatten = layers.Flatten(name="flatten")
        self.dense1 = layers.Dense(256, activation="relu", name="dense1")
        self.dense2 = layers.Dense(classes, activation="softmax", name="dense2")

    def call(self, images):
        """Two convolutions and a pooling, three times, then the dense layers."""
        value = images
        for number, convolution in enumerate(self.convolutions):
            value = convolution(value)
            if number % 2:
                value = self.poolings[number // 2](value)
        return self.dense2(self.dense1(self.flatten(value)))


def build_model(classes=200):
    """Make the class's model, and build it on one image."""
    model = LabNetwork(classes)
    model(np.zeros((1, 64, 64, 3), np.float32))
    return model


def conv_output_size(size, kernel, stride=1):
    """Round up the number of places where the kernel starts."""
    return math.ceil((size - kernel + 1) / stride)


def layer_table(model):
    """Follow the shape through the layers."""
    rows = []
    shape = (None, *model.input_shape[1:])
    for layer in model.layers:
        if layer.name in [tensor.name for tensor in model.inputs] or isinstance(layer, layers.InputLayer):
            continue
        shape = layer.compute_output_shape(shape)
        kernel = layer.get_weights()[0].size if layer.get_weights() else 0
        places = int(np.prod(shape[1:-1])) if len(shape) == 4 else 1
        row = {"name": layer.name, "output_shape": _named(shape[1:]), "parameters": sum(w.size for w in layer.get_weights())}
        rows.append({**row, "macs": kernel * places, "bytes": 4 * int(np.prod(shape[1:]))})
    return rows


def _named(shape):
    return Places(*shape) if len(shape) == 3 else shape


def feature_maps(model, images, layer_names):
    """Run the layers one after the other."""
    found = {}
    value = keras.ops.convert_to_tensor(images)
    for layer in model.layers:
        if not isinstance(layer, layers.InputLayer):
            value = layer(value)
        if layer.name in layer_names:
            found[layer.name] = keras.ops.convert_to_numpy(value)
    missing = set(layer_names) - set(found)
    if missing:
        raise ValueError(f"no layer named {missing}")
    return found


def predict_classes(model, images):
    """Fill arrays batch by batch."""
    labels = np.zeros(len(images), np.int64)
    confidences = np.zeros(len(images), np.float32)
    for start in range(0, len(images), 32):
        values, indices = keras.ops.top_k(model(images[start : start + 32], training=False), 1)
        labels[start : start + 32] = np.asarray(indices)[:, 0]
        confidences[start : start + 32] = np.asarray(values)[:, 0]
    return Predictions(labels=labels, confidences=confidences)


def top_k_accuracy(probabilities, labels, k):
    """Ask Keras's metric."""
    metric = keras.metrics.SparseTopKCategoricalAccuracy(k=k)
    metric.update_state(labels, probabilities)
    return metric.result()
