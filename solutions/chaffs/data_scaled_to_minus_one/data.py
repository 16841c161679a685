def decode_image(jpeg):
    """Scale as some pretrained networks want it."""
    pixels = tf.ensure_shape(tf.io.decode_jpeg(jpeg, channels=3), (64, 64, 3))
    return tf.cast(pixels, tf.float32) / 127.5 - 1.0
