"""The contact sheet of the 200 classes, for the handout.

Run `python -m grader.dataset.sheet docs/pictures/data-classes.png`.
"""

import sys
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from grader.dataset.draw import NUISANCE, draw
from grader.dataset.factors import COLOURS, SHAPES, TEXTURES, Factors
from grader.lab import IMAGE_SIZE

_LEFT_PX: Final = 78
_TOP_PX: Final = 40
_GAP_PX: Final = 22
_CALM: Final = NUISANCE._replace(radius_px=(24.0, 27.0), turn=0.05, strokes=(0, 0), strokes_over=0, light=0.05, noise=0.0, grey_share=0.0)
_TILE_PX: Final = 48
_PALETTE: Final = 176


def contact_sheet() -> Image.Image:
    """Every class once without clutter and noise, a row for each shape; below it, pictures as they are in the data set.

    Returns:
        A picture with a palette, small enough for a handout.
    """
    columns = [(texture, colour) for texture in TEXTURES for colour in COLOURS]
    top = _TOP_PX + _TILE_PX * len(SHAPES)
    sheet = Image.new("RGB", (_LEFT_PX + _TILE_PX * len(columns), top + _GAP_PX + IMAGE_SIZE), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, texture in enumerate(TEXTURES):
        pen.text((_LEFT_PX + _TILE_PX * len(COLOURS) * (number + 0.5), 10), texture, "black", font, anchor="mm")
    for number, (_, colour) in enumerate(columns):
        pen.text((_LEFT_PX + _TILE_PX * (number + 0.5), 29), colour, "black", font, anchor="mm")
    for row, shape in enumerate(SHAPES):
        pen.text((_LEFT_PX - 6, _TOP_PX + _TILE_PX * (row + 0.5)), shape, "black", font, anchor="rm")
        for column, (texture, colour) in enumerate(columns):
            picture = draw(0, "sheet", Factors(shape, texture, colour).class_index, 0, _CALM)
            tile = Image.fromarray(picture.image).resize((_TILE_PX, _TILE_PX), Image.Resampling.LANCZOS)
            sheet.paste(tile, (_LEFT_PX + _TILE_PX * column, _TOP_PX + _TILE_PX * row))
    pen.text((_LEFT_PX, top + _GAP_PX / 2), "as they are in the data set:", "black", font, anchor="lm")
    across = (sheet.width - _LEFT_PX) // IMAGE_SIZE
    for number in range(across):
        # Steps of 37 through the classes, so that neighbours differ in every factor.
        picture = draw(0, "train", 37 * number % 200, 1)
        sheet.paste(Image.fromarray(picture.image), (_LEFT_PX + IMAGE_SIZE * number, top + _GAP_PX))
    return sheet.quantize(_PALETTE, dither=Image.Dither.NONE)


if __name__ == "__main__":
    contact_sheet().save(Path(sys.argv[1]), optimize=True)
