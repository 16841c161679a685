def conv_output_size(size, kernel, stride=1):
    """Round up."""
    return math.ceil((size - kernel) / stride) + 1
