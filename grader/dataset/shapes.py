"""The ten shapes and four textures, as fields over the pixels.

A shape is a signed distance in pixels, positive inside; clipped at half a pixel it is the share of the pixel that is covered, which gives
soft edges. Only +, -, *, /, sqrt, floor, minimum and maximum are used: IEEE 754 fixes their results to the last bit, so numpy gives the
same pixels on every processor (sin, cos and exp would not: numpy has several versions of them, chosen by processor).
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.floating[Any]]
"""Numbers over pixels; float32 throughout, which numpy's type hints lose at an operation with a Python number."""

# The corners of a regular pentagon, as (cos, sin) of 90, 162, 234, 306 and 18 degrees, written out so that no machine has to compute them.
_PENTAGON: Final = (
    (0.0, 1.0),
    (-0.9510565162951535, 0.3090169943749474),
    (-0.5877852522924731, -0.8090169943749475),
    (0.5877852522924731, -0.8090169943749475),
    (0.9510565162951535, 0.3090169943749474),
)
_HALF_ROOT_3: Final = 0.8660254037844386
_HALF_ROOT_2: Final = 0.7071067811865476


class Frame(NamedTuple):
    """A shape's own coordinates over a window of pixels.

    Attributes:
        x: (height, width) float32, to the shape's right, 0 at its middle, 1 at its radius.
        y: (height, width) float32, downwards in the shape's own frame.
        radius: the length of 1 in pixels.
    """

    x: Field
    y: Field
    radius: float


def rotation(turn: float) -> tuple[float, float]:
    """A cosine and a sine that belong together, by the rational form of the circle.

    Args:
        turn: the tangent of half the angle; 0 is no turn, 1 a quarter turn.

    Returns:
        (cosine, sine), squares adding up to 1 within rounding.
    """
    square = turn * turn
    return (1.0 - square) / (1.0 + square), (2.0 * turn) / (1.0 + square)


def frame(
    window: tuple[int, int, int, int], middle: tuple[float, float], radius: float, direction: tuple[float, float], mirrored: bool
) -> Frame:
    """A shape's coordinates over the pixels of a window.

    Args:
        window: (left, top, right, bottom) in pixels, right and bottom not included.
        middle: (x, y) of the shape's middle, in pixels.
        radius: in pixels.
        direction: (cosine, sine) of the shape's turn.
        mirrored: whether left and right change places.

    Returns:
        The coordinates, (bottom - top, right - left) each.
    """
    left, top, right, bottom = window
    cosine, sine = direction
    across = np.arange(left, right, dtype=np.float64) + (0.5 - middle[0])
    down = np.arange(top, bottom, dtype=np.float64) + (0.5 - middle[1])
    flip = -1.0 if mirrored else 1.0
    x = (flip * cosine / radius * across).astype(np.float32)[None, :] + (flip * sine / radius * down).astype(np.float32)[:, None]
    y = (-sine / radius * across).astype(np.float32)[None, :] + (cosine / radius * down).astype(np.float32)[:, None]
    return Frame(x, y, radius)


def _length(x: Field, y: Field) -> Field:
    length: Field = np.sqrt(x * x + y * y)
    return length


def _disc(x: Field, y: Field) -> Field:
    distance: Field = 0.9 - _length(x, y)
    return distance


def _ring(x: Field, y: Field) -> Field:
    distance: Field = 0.24 - np.abs(_length(x, y) - 0.7)
    return distance


def _crescent(x: Field, y: Field) -> Field:
    distance: Field = np.minimum(0.95 - _length(x, y), _length(x - 0.5, y) - 0.72)
    return distance


def _triangle(x: Field, y: Field) -> Field:
    sides = _HALF_ROOT_3 * np.abs(x) - 0.5 * y
    distance: Field = 0.52 - np.maximum(sides, y)
    return distance


def _square(x: Field, y: Field) -> Field:
    distance: Field = 0.76 - np.maximum(np.abs(x), np.abs(y))
    return distance


def _cross(x: Field, y: Field) -> Field:
    near, far = np.minimum(np.abs(x), np.abs(y)), np.maximum(np.abs(x), np.abs(y))
    return np.minimum(0.3 - near, 0.95 - far)


def _star(x: Field, y: Field) -> Field:
    # A pentagram holds the points that lie inside at least four of its five lines: the second smallest distance is positive.
    smallest = second = None
    for across, down in _PENTAGON:
        inside = across * x + down * y + 0.4
        if smallest is None:
            smallest = inside
        elif second is None:
            smallest, second = np.minimum(smallest, inside), np.maximum(smallest, inside)
        else:
            second = np.minimum(second, np.maximum(smallest, inside))
            smallest = np.minimum(smallest, inside)
    assert second is not None
    return second


def _heart(x: Field, y: Field) -> Field:
    # A square on its corner, with a half disc on each of the two upper sides.
    side = 0.52
    beside, down = np.abs(x), y - 0.12
    along, past = (beside + down) * _HALF_ROOT_2, (beside - down) * _HALF_ROOT_2
    square = side - np.maximum(np.abs(along), np.abs(past))
    lobe = side - _length(along, past - side)
    distance: Field = np.maximum(square, lobe)
    return distance


def _arrow(x: Field, y: Field) -> Field:
    beside = np.abs(y)
    head = np.minimum(x + 0.05, (0.95 - x - 1.15 * beside) * 0.656)
    shaft = np.minimum(0.24 - beside, np.minimum(x + 0.95, 0.2 - x))
    distance: Field = np.maximum(head, shaft)
    return distance


def _hourglass(x: Field, y: Field) -> Field:
    sides = (0.06 + 0.85 * np.abs(y) - np.abs(x)) * 0.762
    return np.minimum(sides, 0.85 - np.abs(y))


_DISTANCES: Final[dict[str, Callable[[Field, Field], Field]]] = {
    "disc": _disc,
    "ring": _ring,
    "crescent": _crescent,
    "triangle": _triangle,
    "square": _square,
    "cross": _cross,
    "star": _star,
    "heart": _heart,
    "arrow": _arrow,
    "hourglass": _hourglass,
}


def coverage(distance_px: Field) -> Field:
    """The share of each pixel that is inside, from a signed distance in pixels.

    Args:
        distance_px: float32, positive inside.

    Returns:
        float32 in [0, 1], of the same shape.
    """
    share: Field = np.minimum(np.maximum(distance_px + 0.5, 0.0), 1.0)
    return share


def shape_coverage(shape: str, where: Frame) -> Field:
    """How much of each pixel a shape covers.

    Args:
        shape: one of `factors.SHAPES`.
        where: the shape's coordinates.

    Returns:
        (height, width) float32 in [0, 1].
    """
    return coverage(_DISTANCES[shape](where.x, where.y) * where.radius)


def _wave(position: Field) -> Field:
    """A triangle wave of period 1: 1 at whole numbers, -1 half way between, in float32."""
    wave: Field = 4.0 * np.abs(position - np.floor(position) - 0.5) - 1.0
    return wave


def texture_coverage(texture: str, where: Frame, period_px: float, phase: tuple[float, float]) -> Field | None:
    """How much of each pixel shows a texture's second colour.

    Args:
        texture: one of `factors.TEXTURES`.
        where: the shape's coordinates.
        period_px: of the pattern, in pixels.
        phase: where the pattern starts, in periods, along x and y.

    Returns:
        (height, width) float32 in [0, 1], or None for the plain texture.
    """
    if texture == "plain":
        return None
    scale, size = (where.radius / period_px), period_px
    across = where.x * scale + phase[0]
    if texture == "striped":
        return coverage(_wave(across) * size * 0.25)
    down = where.y * scale + phase[1]
    if texture == "checked":
        return coverage(_wave(across) * _wave(down) * size * 0.5)
    x = across - np.floor(across) - 0.5
    y = down - np.floor(down) - 0.5
    return coverage((0.3 - _length(x, y)) * size)
