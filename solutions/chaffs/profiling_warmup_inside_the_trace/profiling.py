def capture_trace(predict, image, log_dir, *, warmup=3):
    """Opens the profiler first."""
    batch = image[np.newaxis]
    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
    with tf.profiler.experimental.Profile(str(log_dir), options=options):
        for _ in range(warmup):
            np.asarray(predict(batch))
        np.asarray(predict(batch))
