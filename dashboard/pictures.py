"""What a trained network sees: predictions, feature maps and confusions, computed from results/weights.safetensors with NumPy.

No code of a submission runs and TensorFlow is not needed: the weights are plain arrays, and the lab's network is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from grader.artifacts import Kernels, MissingResults, Results
from grader.checks.oracle import Weights, kernel_shape, lab_network, run, shapes
from grader.dataset.factors import COLOURS, SHAPES, TEXTURES, factors_of
from grader.dataset.layout import class_ids, decode
from grader.errors import DataError, ResultsError
from grader.lab import CLASSES, IMAGE_SHAPE

VALUES: Final = {"shape": SHAPES, "texture": TEXTURES, "colour": COLOURS}
"""The values of each factor that a class is made of."""
FACTORS: Final = tuple(VALUES)
CONFUSED_IMAGES: Final = 200
"""Validation images from which confusions are counted: some seconds of NumPy on two cores."""
CHUNK: Final = 10
"""Images that go through the network at once; more only take more memory."""
CHANNELS: Final = 8
"""Channels of a layer that are shown."""

PICTURE_WIDTH: Final = 160
"""Width of an enlarged image, pixels."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Prediction:
    """What the network says of one image.

    Attributes:
        image: Name of the file.
        pixels: (64, 64, 3) uint8.
        truth: The class in words.
        guesses: The three likeliest classes in words, with their probabilities, likeliest first.
    """

    image: str
    pixels: Array
    truth: str
    guesses: tuple[tuple[str, float], ...]


class Seen:
    """A submission's trained network, and the images it is shown.

    Args:
        submission: The submission's folder, with results/weights.safetensors.
        data: The data set's folder.

    Raises:
        MissingResults: There are no weights.
        ResultsError: The weights are damaged, or not those of the lab's network.
        DataError: The data folder cannot be read.
    """

    def __init__(self, submission: Path, data: Path) -> None:
        self._results = Results(submission)
        self._network = lab_network()
        self._weights = _named(self._results.weights())
        self._data = data
        self._ids, self._labels = _annotations(data)
        self.embedded = tuple(self._ids) == class_ids()

    def sample_images(self) -> list[str]:
        """The three profiled images where they are known, else the first three of the validation set."""
        try:
            profiled = [sample.image for sample in self._results.read(Kernels).samples]
        except (MissingResults, ResultsError):
            profiled = []
        known = [name for name in profiled if name in self._labels]
        return (known or list(self._labels))[:3]

    def predictions(self) -> list[Prediction]:
        """Predictions for the sample images."""
        names = self.sample_images()
        pixels = [self._pixels(name) for name in names]
        probabilities = self._forward(pixels)["dense2"]
        found = []
        for name, picture, row in zip(names, pixels, probabilities, strict=True):
            best = np.argsort(row)[::-1][:3]
            guesses = tuple((self.class_name(int(index)), float(row[index])) for index in best)
            found.append(Prediction(name, picture, self.class_name(self._labels[name]), guesses))
        return found

    def feature_maps(self, image: str) -> dict[str, Array]:
        """The first channels of each convolution and pooling for one image, each scaled to 0 to 255 by itself.

        Returns:
            By layer in the network's order: (channels, height, width) uint8.
        """
        outputs = self._forward([self._pixels(image)])
        found = {}
        for name, value in outputs.items():
            if value.ndim == 4:
                maps = np.moveaxis(value[0], -1, 0)[:CHANNELS]
                low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
                found[name] = np.round((maps - low) / np.where(high > low, high - low, 1.0) * 255).astype(np.uint8)
        return found

    def confusions(self, images: int = CONFUSED_IMAGES) -> pd.DataFrame:
        """What the network takes each image for, factor by factor.

        Args:
            images: How many validation images are looked at, from the first.

        Returns:
            `factor`, `truth`, `guess`, `images`; empty for data whose classes are not made of factors.
        """
        if not self.embedded:
            return pd.DataFrame(columns=["factor", "truth", "guess", "images"])
        names = list(self._labels)[:images]
        guesses: list[int] = []
        for start in range(0, len(names), CHUNK):
            probabilities = self._forward([self._pixels(name) for name in names[start : start + CHUNK]])["dense2"]
            guesses += [int(index) for index in probabilities.argmax(axis=1)]
        rows = []
        for name, guess in zip(names, guesses, strict=True):
            truth, taken = factors_of(self._labels[name]), factors_of(guess)
            rows += [{"factor": factor, "truth": getattr(truth, factor), "guess": getattr(taken, factor)} for factor in FACTORS]
        frame = pd.DataFrame(rows, columns=["factor", "truth", "guess"])
        return frame.groupby(["factor", "truth", "guess"], as_index=False).size().rename(columns={"size": "images"})

    def class_name(self, index: int) -> str:
        """A class in words, or its id where it is not one of the embedded set's."""
        return factors_of(index).name if self.embedded else self._ids[index]

    def _forward(self, pixels: list[Array]) -> dict[str, Array]:
        return run(self._network, self._weights, np.stack(pixels).astype(np.float32) / 255.0)

    def _pixels(self, name: str) -> Array:
        file = self._data / "val" / "images" / name
        try:
            return decode(file.read_bytes())
        except (OSError, ValueError) as error:
            raise DataError(f"The image {file} cannot be read; run `lab data info {self._data}`.") from error


def enlarged(pixels: Array) -> Image.Image:
    """An image as people can see it: (64, 64, 3) uint8, each pixel a square."""
    return Image.fromarray(pixels).resize((PICTURE_WIDTH, PICTURE_WIDTH), Image.Resampling.NEAREST)


def strip(maps: Array, side: int = 112, gap: int = 4) -> Image.Image:
    """Feature maps side by side, all enlarged to the same size, with grey between.

    Args:
        maps: (channels, height, width) uint8.
        side: Width and height of each, pixels.
        gap: Between two, pixels.
    """
    picture = Image.new("L", (len(maps) * (side + gap) - gap, side), 127)
    for number, one in enumerate(maps):
        picture.paste(Image.fromarray(one).resize((side, side), Image.Resampling.NEAREST), (number * (side + gap), 0))
    return picture


def _named(arrays: list[Array]) -> Weights:
    network, weights, place = lab_network(), {}, 0
    for layer, before in zip(network, [IMAGE_SHAPE, *shapes(network, IMAGE_SHAPE)], strict=False):
        kernel = kernel_shape(layer, before)
        if not kernel:
            continue
        pair = arrays[place : place + 2]
        place += 2
        if [array.shape for array in pair] != [kernel, kernel[-1:]]:
            raise ResultsError(
                f"The weights are not those of the lab's network: at {layer['name']} expected shapes {kernel} and {kernel[-1:]}, "
                f"received {[array.shape for array in pair]}; run `lab measure` again."
            )
        weights[layer["name"]] = pair
    return weights


def _annotations(data: Path) -> tuple[list[str], dict[str, int]]:
    try:
        ids = (data / "wnids.txt").read_text(encoding="utf-8").split()
        lines = (data / "val" / "val_annotations.txt").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"There is no data set in {data}; draw it with `lab data make`, or name another with --data.") from error
    numbers = {wnid: index for index, wnid in enumerate(ids)}
    labels = {}
    for line in lines:
        name, _, rest = line.partition("\t")
        wnid = rest.partition("\t")[0]
        if wnid in numbers and "/" not in name and name not in (".", ".."):
            labels[name] = numbers[wnid]
    if len(ids) != CLASSES or len(labels) < 3:
        raise DataError(f"{data} has {len(ids)} classes and {len(labels)} validation images; run `lab data info {data}`.")
    return ids, labels
