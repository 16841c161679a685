def decode_image(jpeg):
    """Give the channels in OpenCV's order."""
    pixels = tf.ensure_shape(tf.io.decode_jpeg(jpeg, channels=3), (64, 64, 3))
    return tf.cast(pixels[..., ::-1], tf.float32) / 255.0
