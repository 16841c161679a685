def capture_trace(predict, image, log_dir, *, warmup=3):
    """Traces at once."""
    batch = image[np.newaxis]
    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
    with tf.profiler.experimental.Profile(str(log_dir), options=options):
        np.asarray(predict(batch))
