"""The embedded data set: drawn, laid out as Tiny ImageNet, fetched, inspected."""
