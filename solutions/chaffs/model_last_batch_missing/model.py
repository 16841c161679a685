def predict_classes(model, images):
    """Take whole batches only."""
    whole = len(images) // 64 * 64
    probabilities = model.predict(images[:whole], batch_size=64, verbose=0)
    return Predictions(labels=probabilities.argmax(axis=1), confidences=probabilities.max(axis=1))
