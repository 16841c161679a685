"""The environment in which a worker imports TensorFlow, however it is started."""

from __future__ import annotations

import os
from typing import Final

QUIET: Final = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": os.path.join(os.devnull, "keras"),
    "TF_USE_LEGACY_KERAS": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}
"""No banner, no GPU search noise, and nobody's own settings: Keras reads another order of an image's axes, or another type of numbers, from
a file in a person's home folder, and there is none where KERAS_HOME points; a variable that other software wants makes tf.keras Keras 2."""
