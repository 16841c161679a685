def predict_classes(model, images):
    """Apply a softmax again."""
    probabilities = model.predict(images, batch_size=64, verbose=0)
    return Predictions(labels=probabilities.argmax(axis=1), confidences=np.asarray(keras.ops.softmax(probabilities)).max(axis=1))
