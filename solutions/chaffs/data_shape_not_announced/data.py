def decode_image(jpeg):
    """Leave the shape open."""
    return tf.cast(tf.io.decode_jpeg(jpeg, channels=3), tf.float32) / 255.0
