def predict_classes(model, images):
    """Sort the labels."""
    probabilities = model.predict(images, batch_size=64, verbose=0)
    return Predictions(np.sort(probabilities.argmax(axis=1)), probabilities.max(axis=1))
