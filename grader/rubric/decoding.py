"""Judges a decoded image."""

from __future__ import annotations

from typing import Any

import numpy as np

from grader.checks.compare import Mistake, array, fail, show
from grader.host.submission import Submission
from grader.lab import IMAGE_SHAPE, IMAGE_SIZE
from grader.outcomes import CheckEnded, CheckFailed
from grader.results import Feedback
from grader.rubric.tiny_set import LEVELS, Picture, draw_picture

SHAPE_HELP = "Give (height, width, channels) = (64, 64, 3)."


def same_pixels(found: Any, pixels: np.ndarray, *, what: str = "The decoded image") -> None:
    """Compares a decoded colour image with Pillow's pixels / 255.

    Args:
        found: What the submission gave.
        pixels: (64, 64, 3) uint8.
        what: Names the image.

    Raises:
        CheckFailed: They differ by more than decoders do, or the values are not whole numbers / 255.
    """
    expected = (pixels / 255.0).astype(np.float32)
    _same_range(found, what)
    array(
        found,
        expected,
        what,
        tolerance=LEVELS / 255,
        dtype="float32",
        help=SHAPE_HELP,
        mistakes=[
            Mistake(expected[..., ::-1], "The channels are in the order blue, green, red", "TensorFlow and Keras use red, green, blue."),
            Mistake(expected.transpose(1, 0, 2), "Rows and columns are swapped", SHAPE_HELP),
            Mistake(expected.transpose(2, 0, 1), "The channels come first", SHAPE_HELP),
            Mistake(
                expected / max(float(expected.max()), 1e-3),
                "Each image was divided by its own largest value",
                "Divide by 255, whatever an image holds: the same colour gives the same number in every image.",
            ),
            Mistake(expected[::-1], "The image stands on its head"),
            Mistake(expected[:, ::-1], "The image is mirrored"),
            Mistake(np.repeat(expected.mean(axis=2, keepdims=True), 3, axis=2), "The colours are lost: all channels are equal"),
        ],
    )
    if _off_whole(found, 255) > 0.002:
        if _off_whole(found, 256) <= 0.002:
            fail("Pixels were divided by 256", "expected: value / 255", "received: value / 256", help="The largest value, 255, becomes 1.")
        fail(
            "The values are not whole numbers divided by 255",
            "expected: value / 255, computed in float32",
            f"furthest from a whole number times 1/255: {_off_whole(found, 255):.2g}",
            help="Cast to float32 and divide by 255; no resizing and no other normalisation.",
        )


def same_pattern(found: Any, pixels: np.ndarray, *, help: str, what: str = "The decoded greyscale image") -> None:
    """Compares a decoded greyscale image with Pillow's pixels up to brightness and contrast; the scale has a check of its own.

    Args:
        found: What the submission gave.
        pixels: (64, 64) uint8.
        help: What to look at.
        what: Names the image.

    Raises:
        CheckFailed: It has another shape, unequal channels or another pattern.
    """
    wanted = f"expected: an array of shape {IMAGE_SHAPE}"
    if not isinstance(found, np.ndarray):
        fail(f"{what} should be an array", wanted, f"received: {show(found)}", help=help)
    if found.shape in ((IMAGE_SIZE, IMAGE_SIZE, 1), (IMAGE_SIZE, IMAGE_SIZE)):
        fail(f"{what} has one channel instead of three", wanted, f"received: shape {found.shape}", help=help)
    if found.shape != IMAGE_SHAPE:
        fail(f"{what} has the wrong shape", wanted, f"received: shape {found.shape}", help=help)
    values = found.astype(np.float64)
    if not (np.isfinite(values).all() and (values == values[..., :1]).all()):
        fail(f"{what} should have three equal channels", f"first pixel: {np.round(values[0, 0], 4).tolist()}", help=help)
    if not alike(values[..., 0], pixels):
        fail(f"{what} does not show the picture in the file", help=help)


def same_scale(submission: Submission, found: np.ndarray, pixels: np.ndarray, rng: np.random.Generator) -> None:
    """Holds that a greyscale image has the scale that the submission gives to colour images.

    Args:
        submission: The submission.
        found: The decoded greyscale image.
        pixels: (64, 64) uint8.
        rng: Draws a colour image.

    Raises:
        CheckFailed: Its values are on another scale.
    """
    colour = draw_picture(rng)
    try:
        other = submission.data.decode_image(colour.jpeg)
    except (CheckFailed, CheckEnded):
        return  # another check's matter
    if not isinstance(other, np.ndarray) or other.shape != IMAGE_SHAPE or other.dtype.kind not in "iuf":
        return
    # By how much values spread: that does not depend on the order of channels or rows, which other checks look at.
    step = float(found.std(dtype=np.float64)) / float(pixels.std())
    own = float(other.std(dtype=np.float64)) / float(colour.pixels.std())
    if not 0.8 * own <= step <= 1.25 * own:
        fail(
            "A greyscale image comes out on another scale than a colour image",
            f"expected: a step of one level of the file changes the value by {own:.4g}, as in your colour images",
            f"received: by {step:.4g}",
            help="Divide every image by 255, whatever its channels.",
        )


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two images show the same, whatever their brightness and contrast.

    Args:
        one: (height, width).
        other: (height, width).

    Returns:
        Whether their correlation is over 0.98: decoders stay over 0.999, other pictures of ours under 0.95.
    """
    return float((pattern(one) * pattern(other)).sum()) > 0.98


def pattern(image: np.ndarray) -> np.ndarray:
    """An image without its brightness and contrast.

    Args:
        image: Any shape.

    Returns:
        float64 of mean 0 and length 1; zeros for a flat or broken image.
    """
    with np.errstate(all="ignore"):
        centred = image.astype(np.float64) - image.mean(dtype=np.float64)
        length = np.sqrt((centred**2).sum())
    return centred / length if np.isfinite(length) and length > 0 else np.zeros(image.shape)


def _same_range(found: Any, what: str) -> None:
    if not isinstance(found, np.ndarray) or found.shape != IMAGE_SHAPE or found.dtype.kind not in "iuf" or not np.isfinite(found).all():
        return
    low, high = float(found.min()), float(found.max())
    sides = ("expected: float32 values from 0 to 1", f"received: {found.dtype} values from {low:.4g} to {high:.4g}")
    if low < -0.1 and 1.2 < high < 20:
        fail(
            f"{what} was normalised to mean 0, not only divided by 255",
            *sides,
            help="Divide by 255, no more: the shipped weights and the grader expect values from 0 to 1.",
        )
    if high > 1.5:
        fail(
            f"{what} was not divided by 255",
            *sides,
            help="Cast to float32, then divide by 255. On values up to 255 the softmax saturates and the network hardly learns.",
        )
    if found.dtype.kind != "f":
        fail(
            f"{what} holds whole numbers",
            *sides,
            help="Cast to float32 before dividing: // and a later cast cut fractions off.",
        )
    if low < -0.1:
        fail(f"{what} was scaled to [-1, 1]", *sides, help="Divide by 255, no more.")


def _off_whole(found: np.ndarray, levels: int) -> float:
    scaled = found.astype(np.float64) * levels
    return float(np.abs(scaled - np.rint(scaled)).max())


def works_in_a_pipeline(submission: Submission, picture: Picture) -> None:
    """Holds that decode_image can be mapped over a data set, where a file's content is not known yet.

    Args:
        submission: The submission.
        picture: What to decode.

    Raises:
        CheckFailed: It cannot, or gives something else there; half of the points are kept.
    """
    advice = "Use TensorFlow's operations on the tensor: .numpy() and Pillow need a value that is not there yet."
    try:
        found = submission.tools.mapped("data", "decode_image", picture.jpeg)
        same_pixels(found, picture.pixels)
    except CheckFailed as error:
        told = error.feedback
        summary = "decode_image works on bytes, and not when tf.data calls it on a tensor whose value is not yet known"
        told = Feedback(summary, (f"there: {told.summary}"[:200],), advice, where=told.where, safe=told.safe and summary)
        raise CheckFailed(told, earned=0.5) from None
