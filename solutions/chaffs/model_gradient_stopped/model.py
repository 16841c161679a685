class Features(keras.layers.Layer):
    """Hand the features on."""

    def call(self, features):
        return keras.ops.stop_gradient(features)


def build_model(classes=200):
    model = keras.Sequential([keras.Input((64, 64, 3))])
    for block, (first, second, kernel) in enumerate([(32, 32, 5), (64, 64, 3), (64, 128, 3)], start=1):
        for number, filters in ((2 * block - 1, first), (2 * block, second)):
            model.add(keras.layers.Conv2D(filters, kernel, activation="relu", name=f"conv{number}"))
        model.add(keras.layers.MaxPooling2D(name=f"pool{block}"))
    model.add(Features())
    model.add(keras.layers.Flatten(name="flatten"))
    model.add(keras.layers.Dense(256, activation="relu", name="dense1"))
    model.add(keras.layers.Dense(classes, activation="softmax", name="dense2"))
    return model
