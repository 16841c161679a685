def image_facts(image):
    """Give the number of elements."""
    return ImageFacts(dtype=str(image.dtype), shape=image.shape, bytes=image.size)
