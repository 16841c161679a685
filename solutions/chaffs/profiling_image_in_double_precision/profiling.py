def capture_trace(predict, image, log_dir, *, warmup=3):
    """NumPy's own float has 64 bits."""
    batch = image[np.newaxis].astype(float)
    for _ in range(warmup):
        np.asarray(predict(batch))
    with tf.profiler.experimental.Profile(str(log_dir)):
        np.asarray(predict(batch))
