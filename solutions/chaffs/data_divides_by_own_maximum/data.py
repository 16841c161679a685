def decode_image(jpeg):
    """Stretch each image to 1."""
    pixels = tf.cast(tf.ensure_shape(tf.io.decode_jpeg(jpeg, channels=3), (64, 64, 3)), tf.float32)
    return pixels / tf.reduce_max(pixels)
