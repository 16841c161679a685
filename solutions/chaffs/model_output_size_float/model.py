def conv_output_size(size, kernel, stride=1):
    """Divide with /."""
    return (size - kernel) / stride + 1
