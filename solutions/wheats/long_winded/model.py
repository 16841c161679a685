from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D


def build_model(classes=200):
    model = keras.models.Sequential()
    model.add(Conv2D(32, (5, 5), activation="relu", input_shape=(64, 64, 3), name="conv1"))
    model.add(Conv2D(32, (5, 5), activation="relu", name="conv2"))
    model.add(MaxPooling2D((2, 2), name="pool1"))
    model.add(Conv2D(64, (3, 3), activation="relu", name="conv3"))
    model.add(Conv2D(64, (3, 3), activation="relu", name="conv4"))
    model.add(MaxPooling2D((2, 2), name="pool2"))
    model.add(Conv2D(64, (3, 3), activation="relu", name="conv5"))
    model.add(Conv2D(128, (3, 3), activation="relu", name="conv6"))
    model.add(MaxPooling2D((2, 2), name="pool3"))
    model.add(Flatten(name="flatten"))
    model.add(Dense(256, activation="relu", name="dense1"))
    model.add(Dense(classes, activation="softmax", name="dense2"))
    model.summary()
    return model


def conv_output_size(size, kernel, stride=1):
    places = 0
    position = 0
    while position + kernel <= size:
        places = places + 1
        position = position + stride
    return places


def layer_table(model):
    table = []
    for layer in model.layers:
        kind = layer.__class__.__name__
        if kind == "InputLayer":
            continue
        output_shape = []
        for length in layer.output.shape:
            output_shape.append(length)
        output_shape = output_shape[1:]
        elements = 1
        for length in output_shape:
            elements = elements * length
        parameters = 0
        for weight in layer.weights:
            count = 1
            for length in weight.shape:
                count = count * length
            parameters = parameters + count
        macs = 0
        if kind == "Conv2D":
            kernel = layer.weights[0].shape
            macs = output_shape[0] * output_shape[1] * output_shape[2] * kernel[0] * kernel[1] * kernel[2]
        elif kind == "Dense":
            macs = layer.weights[0].shape[0] * layer.weights[0].shape[1]
        table.append(LayerRow(layer.name, tuple(output_shape), parameters, macs, elements * 4))
    return table


def feature_maps(model, images, layer_names):
    maps = {}
    for layer_name in layer_names:
        found = False
        for layer in model.layers:
            if layer.name == layer_name:
                found = True
                small_model = keras.models.Model(inputs=model.inputs, outputs=layer.output)
                maps[layer_name] = small_model.predict(images)
        if not found:
            raise ValueError("no layer " + layer_name)
    return maps


def predict_classes(model, images):
    labels = []
    confidences = []
    start = 0
    while start < len(images):
        end = start + 32
        if end > len(images):
            end = len(images)
        probabilities = model.predict_on_batch(images[start:end])
        for row in probabilities:
            best = 0
            for i in range(len(row)):
                if row[i] > row[best]:
                    best = i
            labels.append(best)
            confidences.append(row[best])
        start = end
    return Predictions(np.array(labels), np.array(confidences))


def top_k_accuracy(probabilities, labels, k):
    hits = 0
    for i in range(len(labels)):
        row = list(probabilities[i])
        better = 0
        for value in row:
            if value > row[labels[i]]:
                better = better + 1
        if better < k:
            hits = hits + 1
    return hits / len(labels)
