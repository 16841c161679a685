"""What a check is: points and needs, sound comparators, and the pytest plugin that makes results."""
