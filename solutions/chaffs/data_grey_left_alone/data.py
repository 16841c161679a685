def decode_image(jpeg):
    """Decode as many channels as the file has."""
    pixels = tf.ensure_shape(tf.io.decode_jpeg(jpeg), (64, 64, 3))
    return tf.cast(pixels, tf.float32) / 255.0
