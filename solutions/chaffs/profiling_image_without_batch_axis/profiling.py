def capture_trace(predict, image, log_dir, *, warmup=3):
    """Passes the image as it is."""
    for _ in range(warmup):
        np.asarray(predict(image))
    with tf.profiler.experimental.Profile(str(log_dir)):
        np.asarray(predict(image))
