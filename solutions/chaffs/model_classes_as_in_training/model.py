def predict_classes(model, images):
    """Run batches as fit does."""
    parts = [np.asarray(model(images[first : first + 32], training=True)) for first in range(0, len(images), 32)]
    probabilities = np.concatenate(parts)
    return Predictions(labels=probabilities.argmax(axis=1), confidences=probabilities.max(axis=1))
