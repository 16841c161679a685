def conv_output_size(size, kernel, stride=1):
    """Forget the first place."""
    return (size - kernel) // stride
