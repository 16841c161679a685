def build_model(classes=200):
    model = keras.Sequential(name="my_first_network")
    model.add(keras.Input(shape=(64, 64, 3)))
    filters = [32, 32, 64, 64, 64, 128]
    kernel_sizes = [5, 5, 3, 3, 3, 3]
    pool_number = 1
    for i in range(6):
        number = i + 1
        model.add(layers.Conv2D(filters[i], (kernel_sizes[i], kernel_sizes[i]), activation="relu", name="conv" + str(number)))
        if number % 2 == 0:
            model.add(layers.MaxPooling2D(pool_size=(2, 2), name="pool" + str(pool_number)))
            pool_number = pool_number + 1
    model.add(layers.Flatten(name="flatten"))
    model.add(layers.Dense(256, activation="relu", name="dense1"))
    model.add(layers.Dense(classes, activation="softmax", name="dense2"))
    print("Parameters: " + str(model.count_params()))
    return model


def conv_output_size(size, kernel, stride=1):
    count = 0
    for start in range(0, size, stride):
        if start + kernel <= size:
            count += 1
    return count


def layer_table(model):
    rows = []
    for i in range(len(model.layers)):
        layer = model.layers[i]
        if type(layer) == keras.layers.InputLayer:
            continue

        shape = []
        for j in range(1, len(layer.output.shape)):
            shape.append(int(layer.output.shape[j]))
        size = 1
        for j in range(len(shape)):
            size *= shape[j]

        parameters = 0
        weights = layer.get_weights()
        for j in range(len(weights)):
            parameters += int(weights[j].size)

        macs = 0
        if type(layer) == keras.layers.Conv2D:
            kernel_height = weights[0].shape[0]
            kernel_width = weights[0].shape[1]
            input_channels = weights[0].shape[2]
            filters = weights[0].shape[3]
            macs = shape[0] * shape[1] * filters * kernel_height * kernel_width * input_channels
        if type(layer) == keras.layers.Dense:
            macs = weights[0].shape[0] * weights[0].shape[1]

        rows.append(LayerRow(name=layer.name, output_shape=tuple(shape), parameters=parameters, macs=macs, bytes=size * 4))
    return rows


def feature_maps(model, images, layer_names):
    # first check all the names
    all_names = []
    for layer in model.layers:
        all_names.append(layer.name)
    for name in layer_names:
        if name not in all_names:
            raise ValueError("There is no layer called " + name + ", there are only " + str(all_names))
    result = {}
    for name in layer_names:
        layer = model.get_layer(name)
        part = keras.Model(model.inputs, layer.output)
        outputs = []
        for i in range(len(images)):
            output = part(images[i : i + 1])
            output = np.array(output)
            outputs.append(output[0])
        result[name] = np.array(outputs)
    return result


def predict_classes(model, images):
    labels = []
    confidences = []
    batch_size = 20
    number_of_batches = len(images) // batch_size
    if len(images) % batch_size != 0:
        number_of_batches = number_of_batches + 1
    for b in range(number_of_batches):
        batch = images[b * batch_size : (b + 1) * batch_size]
        probabilities = np.array(model(batch))
        for i in range(len(batch)):
            row = list(probabilities[i])
            highest = max(row)
            labels.append(row.index(highest))
            confidences.append(highest)
    return Predictions(np.array(labels, dtype=int), np.array(confidences, dtype=np.float32))


def top_k_accuracy(probabilities, labels, k):
    correct = 0
    i = 0
    while i < len(probabilities):
        row = list(probabilities[i])
        # take the largest k times
        taken = []
        while len(taken) < k and len(taken) < len(row):
            best = -1
            for j in range(len(row)):
                if j in taken:
                    continue
                if best == -1 or row[j] > row[best]:
                    best = j
            taken.append(best)
        if labels[i] in taken:
            correct = correct + 1
        i = i + 1
    return correct / len(probabilities)
