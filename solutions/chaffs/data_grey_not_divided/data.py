def decode_image(jpeg):
    """Divide colour images only."""
    pixels = tf.io.decode_jpeg(jpeg)
    if pixels.shape[-1] == 1:
        return tf.repeat(tf.cast(pixels, tf.float32), 3, axis=2)
    return tf.ensure_shape(tf.cast(tf.io.decode_jpeg(jpeg, channels=3), tf.float32) / 255.0, (64, 64, 3))
