def decode_image(jpeg):
    """Divide by the number of levels instead of the largest one."""
    pixels = tf.ensure_shape(tf.io.decode_jpeg(jpeg, channels=3), (64, 64, 3))
    return tf.cast(pixels, tf.float32) / 256.0
