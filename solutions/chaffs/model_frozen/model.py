def build_model(classes=200):
    """Freeze the convolutions, as is done with a network that was trained before."""
    model = keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            layers.Conv2D(32, 5, activation="relu", name="conv1"),
            layers.Conv2D(32, 5, activation="relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Conv2D(64, 3, activation="relu", name="conv3"),
            layers.Conv2D(64, 3, activation="relu", name="conv4"),
            layers.MaxPooling2D(2, name="pool2"),
            layers.Conv2D(64, 3, activation="relu", name="conv5"),
            layers.Conv2D(128, 3, activation="relu", name="conv6"),
            layers.MaxPooling2D(2, name="pool3"),
            layers.Flatten(name="flatten"),
            layers.Dense(256, activation="relu", name="dense1"),
            layers.Dense(classes, activation="softmax", name="dense2"),
        ]
    )
    for layer in model.layers[:9]:
        layer.trainable = False
    return model
