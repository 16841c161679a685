def capture_trace(predict, image, log_dir, *, warmup=3):
    """Only calls predict."""
    batch = image[np.newaxis]
    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
    for _ in range(warmup):
        predict(batch)
    with tf.profiler.experimental.Profile(str(log_dir), options=options):
        predict(batch)
