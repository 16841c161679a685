"""Facts of the lab that more than one floor needs: sections, files, classes, image size.

Everything that would change for another lab stands here.
"""

from typing import Final

SECTIONS: Final = ("data", "model", "profiling", "timing", "training")
"""The sections, in the order of the handout. Each is one module of the assignment and one file of the rubric."""

SECTION_POINTS: Final = 20
"""Points of one section; five of them make 100."""

MODULE_FILES: Final = tuple(f"{section}.py" for section in SECTIONS)
"""What a student writes, relative to the submission's folder."""

FINDINGS_FILE: Final = "findings.toml"
RESULTS_FOLDER: Final = "results"

CLASSES: Final = 200
IMAGE_SIZE: Final = 64
IMAGE_SHAPE: Final = (IMAGE_SIZE, IMAGE_SIZE, 3)

ONLINE_COUNTS: Final = (10, 100, 1000)
BATCH_IMAGES: Final = 1000
BATCH_SIZES: Final = (20, 40, 100, 200)

MIN_DELTA: Final = 1e-2
PATIENCE: Final = 2
TRAINING_BATCH_SIZES: Final = (32, 64, 128)
