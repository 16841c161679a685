def capture_trace(predict, image, log_dir, *, warmup=3):
    """Runs the last warm-up call inside the trace, to be safe."""
    batch = image[np.newaxis]
    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
    for _ in range(warmup - 1):
        np.asarray(predict(batch))
    with tf.profiler.experimental.Profile(str(log_dir), options=options):
        for _ in range(2 if warmup else 1):
            np.asarray(predict(batch))
