def capture_trace(predict, image, log_dir, *, warmup=3):
    """Ignores log_dir."""
    for _ in range(warmup):
        np.asarray(predict(image[np.newaxis]))
    with tf.profiler.experimental.Profile("logs"):
        np.asarray(predict(image[np.newaxis]))
