def predict_classes(model, images):
    """Squeeze what is too much."""
    probabilities = np.squeeze(model.predict(images, batch_size=64, verbose=0))
    return Predictions(probabilities.argmax(axis=-1), probabilities.max(axis=-1))
