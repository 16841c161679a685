def build_model(classes=200):
    """Cut every activation off at 6."""
    model = keras.Sequential([keras.Input((64, 64, 3))])
    for number, (filters, kernel) in enumerate([(32, 5), (32, 5), (64, 3), (64, 3), (64, 3), (128, 3)], start=1):
        model.add(layers.Conv2D(filters, kernel, activation="relu6", name=f"conv{number}"))
        if number % 2 == 0:
            model.add(layers.MaxPooling2D(2, name=f"pool{number // 2}"))
    model.add(layers.Flatten(name="flatten"))
    model.add(layers.Dense(256, activation="relu6", name="dense1"))
    model.add(layers.Dense(classes, activation="softmax", name="dense2"))
    return model
