"""Draws one picture of the embedded data set: a textured, coloured shape amid clutter, uneven light and noise.

What makes the class is in `factors`; everything else about a picture (place, size, turn, background, strokes, light, noise) is chance, from
a stream of random bits that belongs to this one picture. So any picture can be drawn alone, in any order and on any machine, and is the
same to the last bit. To keep that so, this module uses IEEE-exact operations only; see `shapes`.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from grader.dataset.bits import Bits
from grader.dataset.factors import factors_of
from grader.dataset.shapes import Field, Frame, coverage, frame, rotation, shape_coverage, texture_coverage
from grader.lab import IMAGE_SHAPE, IMAGE_SIZE

DRAWING_VERSION: Final = 1
"""Changes whenever the same key would give another picture. 1: first version."""

Colour = tuple[float, float, float]
Box = tuple[int, int, int, int]

_RED_GREEN_BLUE: Final[dict[str, Colour]] = {
    "red": (214.0, 40.0, 44.0),
    "yellow": (232.0, 202.0, 40.0),
    "green": (46.0, 168.0, 66.0),
    "blue": (44.0, 92.0, 222.0),
    "violet": (158.0, 58.0, 196.0),
}


class Nuisance(NamedTuple):
    """How much chance there is in a picture. The values are tuned so that the lab's CNN does neither too badly nor too well.

    Attributes:
        radius_px: smallest and largest radius of the shape.
        turn: largest turn either way, as the tangent of half the angle.
        colour_jitter: largest change of each channel of a class's colour, of 255.
        strokes: smallest and largest number of strokes behind the shape.
        strokes_over: largest number of thin strokes over the shape.
        light: largest relative change of brightness from the middle to an edge.
        noise: half width of the noise on each channel, of 255.
        grey_share: share of the pictures that are saved as greyscale.
    """

    radius_px: tuple[float, float] = (17.0, 26.0)
    turn: float = 0.15
    colour_jitter: float = 20.0
    strokes: tuple[int, int] = (1, 4)
    strokes_over: int = 1
    light: float = 0.25
    noise: float = 18.0
    grey_share: float = 1 / 64


NUISANCE: Final = Nuisance()


class Picture(NamedTuple):
    """One drawn picture.

    Attributes:
        image: (64, 64, 3) uint8; three equal channels if `grey`.
        box: the shape's bounding box as (left, top, right, bottom), in pixels from 0, all included.
        grey: whether the picture is to be saved with one channel.
    """

    image: npt.NDArray[np.uint8]
    box: Box
    grey: bool


def _spread_of_grid(points: int) -> npt.NDArray[np.float64]:
    """Weights that spread `points` values evenly over the pixels, (64, points); whole numbers that add up to 64 in each row."""
    weights = np.zeros((IMAGE_SIZE, points))
    for pixel in range(IMAGE_SIZE):
        cell, past = divmod(pixel * (points - 1), IMAGE_SIZE)
        weights[pixel, cell], weights[pixel, cell + 1] = IMAGE_SIZE - past, past
    return weights


_GRID_POINTS: Final = 5
_SPREAD: Final = _spread_of_grid(_GRID_POINTS)
_MIDDLES: Final[npt.NDArray[np.float32]] = np.arange(IMAGE_SIZE, dtype=np.float32) + 0.5


def _background(bits: Bits) -> npt.NDArray[np.float32]:
    """A soft background of chance colours, (3, 64, 64) float32 in [0, 255]."""
    middle = bits.between(60.0, 190.0)
    base = [middle + bits.between(-45.0, 45.0) for _ in range(3)]
    grid = bits.octets((3, _GRID_POINTS, _GRID_POINTS)).astype(np.float64)
    # Whole numbers below 2**53 throughout: a sum of products is exact in whatever order the matrix library adds.
    soft = np.matmul(np.matmul(_SPREAD, grid), _SPREAD.T)
    canvas: npt.NDArray[np.float32] = (soft * (0.32 / IMAGE_SIZE**2)).astype(np.float32)
    for channel, level in enumerate(base):
        canvas[channel] += level - 40.0
    return canvas


def _paint(canvas: npt.NDArray[np.float32], window: Box, cover: Field, colour: npt.NDArray[np.float32] | Colour) -> None:
    """Lays a colour over a window of the canvas, as opaque as `cover` says."""
    left, top, right, bottom = window
    patch = canvas[:, top:bottom, left:right]
    over = np.asarray(colour, dtype=np.float32)
    if over.ndim == 1:
        over = over[:, None, None]
    patch += cover * (over - patch)


def _stroke(bits: Bits, canvas: npt.NDArray[np.float32], half_width_px: float, longest_px: float) -> None:
    """Paints one straight stroke with round ends, of a chance colour, somewhere."""
    x, y = bits.between(-4.0, 68.0), bits.between(-4.0, 68.0)
    along, across = (2.0 * bits.between(-0.5, 0.5) * longest_px for _ in range(2))
    pale = bits.between(0.0, 0.7)
    vivid = bits.choose(tuple(_RED_GREEN_BLUE.values()))
    grey = bits.between(10.0, 245.0)
    colour = tuple(channel + pale * (grey - channel) for channel in vivid)
    reach = half_width_px + 1.0
    left, right = max(0, int(min(x, x + along) - reach)), min(IMAGE_SIZE, int(max(x, x + along) + reach) + 1)
    top, bottom = max(0, int(min(y, y + across) - reach)), min(IMAGE_SIZE, int(max(y, y + across) + reach) + 1)
    if left >= right or top >= bottom:
        return
    right_of = (_MIDDLES[left:right] - x)[None, :]
    below = (_MIDDLES[top:bottom] - y)[:, None]
    square = along * along + across * across + 1e-6
    share = np.minimum(np.maximum(right_of * (along / square) + below * (across / square), 0), 1)
    off_x, off_y = right_of - share * along, below - share * across
    cover = coverage(half_width_px - np.sqrt(off_x * off_x + off_y * off_y))
    _paint(canvas, (left, top, right, bottom), cover, (colour[0], colour[1], colour[2]))


def _colours(bits: Bits, colour: str, jitter: float) -> tuple[Colour, Colour]:
    """The class's colour, a little off, and the texture's second colour: nearly black or nearly white."""
    first = [channel + bits.between(-jitter, jitter) for channel in _RED_GREEN_BLUE[colour]]
    toward = 250.0 if bits.chance(0.5) else 8.0
    mix = bits.between(0.72, 0.92)
    second = [channel + mix * (toward - channel) for channel in first]
    return (first[0], first[1], first[2]), (second[0], second[1], second[2])


def _box_of(cover: Field, window: Box) -> Box:
    """The pixels that are at least half covered, as (left, top, right, bottom), all included."""
    solid = cover >= 0.5
    columns, rows = np.flatnonzero(solid.any(axis=0)), np.flatnonzero(solid.any(axis=1))
    return window[0] + int(columns[0]), window[1] + int(rows[0]), window[0] + int(columns[-1]), window[1] + int(rows[-1])


def _placed(bits: Bits, nuisance: Nuisance) -> tuple[Box, Frame]:
    """Where the shape lies, and its coordinates there. It always lies wholly inside the picture."""
    radius = bits.between(*nuisance.radius_px)
    x, y = bits.between(radius, IMAGE_SIZE - radius), bits.between(radius, IMAGE_SIZE - radius)
    direction = rotation(bits.between(-nuisance.turn, nuisance.turn))
    reach = radius + 1.0
    window = (max(0, int(x - reach)), max(0, int(y - reach)), min(IMAGE_SIZE, int(x + reach) + 1), min(IMAGE_SIZE, int(y + reach) + 1))
    return window, frame(window, (x, y), radius, direction, bits.chance(0.5))


def _shape(bits: Bits, canvas: npt.NDArray[np.float32], class_index: int, nuisance: Nuisance) -> Box:
    """Paints the class's shape, with its texture and colour, and returns its box."""
    factors = factors_of(class_index)
    window, where = _placed(bits, nuisance)
    cover = shape_coverage(factors.shape, where)
    first, second = _colours(bits, factors.colour, nuisance.colour_jitter)
    period_px, phase = bits.between(6.5, 9.5), (bits.between(0.0, 1.0), bits.between(0.0, 1.0))
    pattern = texture_coverage(factors.texture, where, period_px, phase)
    if pattern is None:
        _paint(canvas, window, cover, first)
    else:
        one, other = (np.asarray(colour, dtype=np.float32)[:, None, None] for colour in (first, second))
        _paint(canvas, window, cover, one + pattern * (other - one))
    return _box_of(cover, window)


def _lit(bits: Bits, canvas: npt.NDArray[np.float32], nuisance: Nuisance) -> npt.NDArray[np.float32]:
    """The canvas under uneven light, with noise, (3, 64, 64) float32."""
    gain = bits.between(0.7, 1.15)
    slope_x, slope_y = (bits.between(-nuisance.light, nuisance.light) * 2.0 / IMAGE_SIZE for _ in range(2))
    across = (_MIDDLES - (IMAGE_SIZE / 2)) * (slope_x * gain)
    down = (_MIDDLES - (IMAGE_SIZE / 2)) * (slope_y * gain) + gain
    light = across[None, :] + down[:, None]
    octets = bits.octets((2, 3, IMAGE_SIZE, IMAGE_SIZE))
    # The sum of two bytes, about its mean: a triangular distribution from -255 to 255.
    noise = (octets[0].astype(np.int16) + octets[1] - 255).astype(np.float32)
    lit: npt.NDArray[np.float32] = canvas * light + noise * (nuisance.noise * bits.between(0.4, 1.0) / 255.0)
    return lit


def draw_bits(bits: Bits, class_index: int, nuisance: Nuisance = NUISANCE) -> Picture:
    """Draws a picture from a stream of random bits.

    Args:
        bits: what the chance in the picture comes from.
        class_index: 0 to 199.
        nuisance: how much chance there is.

    Returns:
        The picture.

    Raises:
        ValueError: no such class.
    """
    grey = bits.chance(nuisance.grey_share)
    canvas = _background(bits)
    fewest, most = nuisance.strokes
    for _ in range(fewest + bits.below(most - fewest + 1)):
        _stroke(bits, canvas, bits.between(0.7, 3.0), 44.0)
    box = _shape(bits, canvas, class_index, nuisance)
    for _ in range(bits.below(nuisance.strokes_over + 1)):
        _stroke(bits, canvas, bits.between(0.5, 1.2), 40.0)
    levels = np.minimum(np.maximum(_lit(bits, canvas, nuisance), 0.0), 255.0).astype(np.uint8)
    image: npt.NDArray[np.uint8] = np.ascontiguousarray(levels.transpose(1, 2, 0))
    if grey:
        wide = image.astype(np.uint32)
        luma = ((299 * wide[..., 0] + 587 * wide[..., 1] + 114 * wide[..., 2] + 500) // 1000).astype(np.uint8)
        image = np.ascontiguousarray(np.broadcast_to(luma[..., None], IMAGE_SHAPE))
    return Picture(image, box, grey)


def draw(seed: bytes | int, split: str, class_index: int, number: int, nuisance: Nuisance = NUISANCE) -> Picture:
    """Draws one picture of the data set.

    Args:
        seed: of the data set.
        split: "train", "val", "test" or any other name.
        class_index: 0 to 199; see `factors.factors_of`.
        number: which picture of that class in that split, from 0.
        nuisance: how much chance there is in a picture.

    Returns:
        The picture: (64, 64, 3) uint8, the box of the shape, and whether it is grey. The same arguments give the same bytes everywhere.

    Raises:
        ValueError: no such class.
    """
    return draw_bits(Bits("picture", DRAWING_VERSION, seed, split, class_index, number), class_index, nuisance)
