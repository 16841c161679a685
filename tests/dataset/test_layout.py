"""Tiny ImageNet's layout, quirks included, as it stands on disk after a set was made."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from grader.dataset.draw import draw
from grader.dataset.factors import factors_of
from grader.dataset.layout import Size, class_ids, decode, encode, mixed_places, train_places, words_text
from grader.lab import CLASSES

from .conftest import TINY


def _rows(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


def test_wnids_are_unsorted_and_fixed(tiny: Path) -> None:
    """wnids.txt has 200 different ids of the usual form, not in order, the same for every set; none is an id of WordNet's."""
    ids = (tiny / "wnids.txt").read_text().split()
    assert tuple(ids) == class_ids()
    assert len(set(ids)) == CLASSES
    assert ids != sorted(ids)
    assert all(len(wnid) == 9 and wnid[0] == "n" and int(wnid[1:]) >= 20_000_000 for wnid in ids)
    assert ids[:2] == ["n99975279", "n81225566"]


def test_words_hold_more_ids_and_tell_the_factors(tiny: Path) -> None:
    """words.txt has many more ids than classes, each with several names, and a class's first name tells its factors."""
    rows = _rows(tiny / "words.txt")
    words = {row[0]: row[1] for row in rows}
    assert len(words) == len(rows) > 5 * CLASSES
    assert [row[0] for row in rows] == sorted(words)
    for index, wnid in enumerate(class_ids()):
        assert words[wnid].split(", ")[0] == factors_of(index).name
        assert len(words[wnid].split(", ")) == 2
    assert len(set(words_text().splitlines())) == len(words)


def test_training_folders(tiny: Path) -> None:
    """Each class has a folder with its numbered pictures, and a boxes file with a line for each."""
    assert {path.name for path in (tiny / "train").iterdir()} == set(class_ids())
    for wnid in class_ids():
        names = {path.name for path in (tiny / "train" / wnid / "images").iterdir()}
        rows = _rows(tiny / "train" / wnid / f"{wnid}_boxes.txt")
        assert names == {f"{wnid}_0.JPEG", f"{wnid}_1.JPEG"} == {row[0] for row in rows}
        assert all(0 <= int(number) < 64 for row in rows for number in row[1:])
        assert {len(row) for row in rows} == {5}


def test_validation_annotations(tiny: Path) -> None:
    """val_annotations.txt names each validation picture once, with an id and a box; classes are balanced and not in order."""
    rows = _rows(tiny / "val" / "val_annotations.txt")
    assert [row[0] for row in rows] == [f"val_{n}.JPEG" for n in range(CLASSES)]
    labels = [class_ids().index(row[1]) for row in rows]
    assert sorted(labels) == list(range(CLASSES))
    assert labels != sorted(labels)
    assert {len(row) for row in rows} == {6}


def test_the_annotated_picture_is_of_that_class(tiny: Path) -> None:
    """The file behind a line of val_annotations.txt is the picture of that class, with that box."""
    rows = _rows(tiny / "val" / "val_annotations.txt")
    for row in rows[:10]:
        label = class_ids().index(row[1])
        picture = draw(0, "val", label, 0)
        assert (tiny / "val" / "images" / row[0]).read_bytes() == encode(picture)
        assert [int(number) for number in row[2:]] == list(picture.box)


def test_the_test_split_has_no_labels(tiny: Path) -> None:
    """test/ holds pictures and nothing that would give their classes away."""
    assert [path.name for path in (tiny / "test").iterdir()] == ["images"]
    assert {path.name for path in (tiny / "test" / "images").iterdir()} == {f"test_{n}.JPEG" for n in range(CLASSES)}


def test_pictures_decode_near_what_was_drawn() -> None:
    """A decoded JPEG has the picture's shape and type, and differs from what was drawn by what compression loses only."""
    picture = draw(0, "train", 3, 0)
    pixels = decode(encode(picture))
    assert pixels.shape == (64, 64, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - picture.image).mean() < 12


def test_a_cut_picture_does_not_decode() -> None:
    """Pillow's error passes through: a truncated JPEG is never taken for a picture."""
    with pytest.raises(OSError, match="truncated"):
        decode(encode(draw(0, "train", 3, 0))[:-300])


def test_a_smaller_set_is_part_of_a_larger_one() -> None:
    """The same seed draws the same training pictures whatever the size, so that results on sizes can be compared."""
    larger = Size("larger", 5, 1, 1)
    assert list(train_places(larger, 9))[: TINY.train] == list(train_places(TINY, 9))


def test_order_belongs_to_the_seed() -> None:
    """Validation pictures are balanced over the classes, in an order that another seed changes."""
    size = Size("order", 1, 3, 1)
    places = mixed_places(size, "val", 0)
    assert set(Counter(place.class_index for place in places).values()) == {3}
    assert len({(place.class_index, place.number) for place in places}) == 600
    assert [place.class_index for place in places] != [place.class_index for place in mixed_places(size, "val", 1)]
