def build_model(classes=200):
    """Give one layer's initializer a seed."""
    model = keras.Sequential([keras.Input((64, 64, 3))])
    for number, (filters, kernel) in enumerate([(32, 5), (32, 5), (64, 3), (64, 3), (64, 3), (128, 3)], start=1):
        start = keras.initializers.GlorotUniform(seed=1) if number == 1 else "glorot_uniform"
        model.add(layers.Conv2D(filters, kernel, activation="relu", kernel_initializer=start, name=f"conv{number}"))
        if number % 2 == 0:
            model.add(layers.MaxPooling2D(2, name=f"pool{number // 2}"))
    model.add(layers.Flatten(name="flatten"))
    model.add(layers.Dense(256, activation="relu", name="dense1"))
    model.add(layers.Dense(classes, activation="softmax", name="dense2"))
    return model
