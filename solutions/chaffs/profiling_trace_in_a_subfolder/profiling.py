def capture_trace(predict, image, log_dir, *, warmup=3):
    """A folder for each run, although the profiler makes one."""
    batch = image[np.newaxis]
    for _ in range(warmup):
        np.asarray(predict(batch))
    with tf.profiler.experimental.Profile(str(log_dir / "run1")):
        np.asarray(predict(batch))
