def predict_classes(model, images):
    """Use axis 0."""
    probabilities = model.predict(images, batch_size=64, verbose=0)
    return Predictions(labels=probabilities.argmax(axis=0), confidences=probabilities.max(axis=0))
