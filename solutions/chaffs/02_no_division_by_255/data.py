def decode_image(jpeg):
    """Leave out the division by 255."""
    pixels = tf.io.decode_jpeg(jpeg, channels=3)
    pixels = tf.ensure_shape(pixels, (64, 64, 3))
    return tf.cast(pixels, tf.float32)
