"""The 200 classes of the embedded data set: every combination of ten shapes, four textures and five colours."""

from typing import Final, NamedTuple

from grader.lab import CLASSES

SHAPES: Final = ("disc", "ring", "crescent", "triangle", "square", "cross", "star", "heart", "arrow", "hourglass")
TEXTURES: Final = ("plain", "striped", "dotted", "checked")
COLOURS: Final = ("red", "yellow", "green", "blue", "violet")

assert len(SHAPES) * len(TEXTURES) * len(COLOURS) == CLASSES


class Factors(NamedTuple):
    """What makes a class: one of `SHAPES`, one of `TEXTURES`, one of `COLOURS`."""

    shape: str
    texture: str
    colour: str

    @property
    def name(self) -> str:
        """The class in words, e.g. "red striped star"."""
        return f"{self.colour} {self.texture} {self.shape}"

    @property
    def class_index(self) -> int:
        """The class's number, 0 to 199; the line of its id in wnids.txt.

        Raises:
            ValueError: a factor is not one of the known ones.
        """
        shape, texture, colour = SHAPES.index(self.shape), TEXTURES.index(self.texture), COLOURS.index(self.colour)
        return (shape * len(TEXTURES) + texture) * len(COLOURS) + colour


def factors_of(class_index: int) -> Factors:
    """The factors of a class.

    Args:
        class_index: 0 to 199.

    Returns:
        Its shape, texture and colour.

    Raises:
        ValueError: no such class.
    """
    if not 0 <= class_index < CLASSES:
        raise ValueError(f"There is no such class: expected 0 to {CLASSES - 1}, received class_index={class_index}.")
    rest, colour = divmod(class_index, len(COLOURS))
    shape, texture = divmod(rest, len(TEXTURES))
    return Factors(SHAPES[shape], TEXTURES[texture], COLOURS[colour])
