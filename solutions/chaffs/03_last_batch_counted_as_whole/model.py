def predict_classes(model, images):
    """Fill up the last batch, and count it as a whole one."""
    batch_size = 32
    missing = -len(images) % batch_size
    padded = np.concatenate([images, np.zeros((missing, *images.shape[1:]), images.dtype)])
    probabilities = model.predict(padded, batch_size=batch_size, verbose=0)
    return Predictions(labels=probabilities.argmax(axis=1), confidences=probabilities.max(axis=1))
