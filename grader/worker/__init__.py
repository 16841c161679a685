"""All that runs beside a submission. The only part of the package that imports TensorFlow."""
