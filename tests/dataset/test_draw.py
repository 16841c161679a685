"""The drawing: the classes, chance that belongs to one picture, and the same bytes on every processor."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.dataset.bits import Bits, key_of
from grader.dataset.draw import NUISANCE, draw
from grader.dataset.factors import COLOURS, SHAPES, TEXTURES, Factors, factors_of
from grader.dataset.layout import encode
from grader.dataset.shapes import frame, rotation, shape_coverage
from grader.lab import CLASSES

FINGERPRINT = """
import hashlib
from grader.dataset.draw import draw
from grader.dataset.layout import decode, encode
total = hashlib.sha256()
for index in range(200):
    picture = draw(7, "train", index, index)
    jpeg = encode(picture)
    for part in (picture.image.tobytes(), repr(picture.box).encode(), jpeg, decode(jpeg).tobytes()):
        total.update(part)
print(total.hexdigest())
"""
EXPECTED_FINGERPRINT = "54d459138a8c16f5a0c05ce041b543ffb03ca30ff8c643c4cdd2af0bf1943c25"


def _fingerprint(**environment: str) -> str:
    env = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", FINGERPRINT], env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_classes_are_all_combinations() -> None:
    """Each of the 200 labels has its own factors, and leads back to the same label."""
    every = [factors_of(index) for index in range(CLASSES)]
    assert len(set(every)) == CLASSES == len(SHAPES) * len(TEXTURES) * len(COLOURS)
    assert [factors.class_index for factors in every] == list(range(CLASSES))
    assert Factors("star", "striped", "red").name == "red striped star"


@pytest.mark.parametrize("index", [-1, 200])
def test_a_class_that_does_not_exist_is_refused(index: int) -> None:
    """A label outside 0 to 199 is an error that names the range, not another class."""
    with pytest.raises(ValueError, match="expected 0 to 199"):
        factors_of(index)


def test_the_same_arguments_give_the_same_picture() -> None:
    """A picture can be drawn alone and again: nothing of other pictures goes into it."""
    first = draw(3, "val", 17, 4)
    draw(3, "val", 18, 4)
    again = draw(3, "val", 17, 4)
    assert first.image.shape == (64, 64, 3)
    assert first.image.dtype == np.uint8
    assert first.image.tobytes() == again.image.tobytes()
    assert first.box == again.box


@pytest.mark.parametrize("other", [(4, "val", 17, 4), (b"3", "val", 17, 4), (3, "train", 17, 4), (3, "val", 17, 5)])
def test_each_argument_changes_the_picture(other: tuple[int | bytes, str, int, int]) -> None:
    """Seed (also its type), split and number each lead to another picture of the class."""
    assert draw(3, "val", 17, 4).image.tobytes() != draw(*other).image.tobytes()


def test_the_bytes_are_the_expected_ones() -> None:
    """Pictures, boxes, JPEGs and decoded JPEGs are those of every other machine that ran this test."""
    assert _fingerprint() == EXPECTED_FINGERPRINT


def test_the_bytes_do_not_depend_on_the_processor() -> None:
    """Without the processor's vector instructions, in numpy, in the JPEG library and in BLAS, every byte is the same."""
    from numpy._core import _multiarray_umath as core

    features = [name for name in core.__cpu_dispatch__ if core.__cpu_features__.get(name)]
    plain = _fingerprint(NPY_DISABLE_CPU_FEATURES=" ".join(features), JSIMD_FORCENONE="1", OPENBLAS_CORETYPE="Nehalem")
    assert plain == EXPECTED_FINGERPRINT


def test_the_box_surrounds_the_shape() -> None:
    """Without clutter, noise and uneven light, what differs from the background lies in the box and reaches its edges."""
    calm = NUISANCE._replace(strokes=(0, 0), strokes_over=0, noise=0.0, grey_share=0.0)
    for index in range(0, CLASSES, 7):
        picture = draw(0, "box", index, 0, calm)
        left, top, right, bottom = picture.box
        assert 0 <= left < right <= 63
        assert 0 <= top < bottom <= 63
        assert right - left >= 12
        assert bottom - top >= 12
        # The soft background never changes by much from a pixel to the next; the shape's edges do.
        levels = picture.image.astype(int)
        jumps = np.abs(np.diff(levels, axis=1)).max(axis=2) > 12
        outside = jumps.copy()
        # Tips that are less than half a pixel wide may stick out of the box.
        outside[max(0, top - 4) : bottom + 5, max(0, left - 5) : right + 5] = False
        assert jumps[top : bottom + 1, left : right + 1].any(), index
        assert not outside.any(), index


def test_some_pictures_are_grey() -> None:
    """About one in 64 has three equal channels, and says so."""
    pictures = [draw(0, "grey", index, number) for index in range(CLASSES) for number in range(5)]
    grey = [picture for picture in pictures if picture.grey]
    assert 5 <= len(grey) <= 30
    assert all((picture.image == picture.image[..., :1]).all() for picture in grey)
    assert not any((picture.image == picture.image[..., :1]).all() for picture in pictures if not picture.grey)


def test_a_grey_picture_has_one_channel_in_its_file() -> None:
    """A grey picture is saved as a JPEG of one channel, a coloured one with three."""
    from grader.dataset.look import is_grey

    always, never = NUISANCE._replace(grey_share=1.0), NUISANCE._replace(grey_share=0.0)
    assert is_grey(encode(draw(0, "x", 0, 0, always)))
    assert not is_grey(encode(draw(0, "x", 0, 0, never)))


def test_shapes_cover_different_pixels() -> None:
    """No two of the ten shapes agree on more than nine tenths of the pixels that either covers, and none is empty or full."""
    where = frame((0, 0, 64, 64), (32.0, 32.0), 24.0, rotation(0.0), False)
    solid = {shape: shape_coverage(shape, where) >= 0.5 for shape in SHAPES}
    for one in SHAPES:
        assert 0.08 < solid[one].mean() < 0.5
        for other in SHAPES[: SHAPES.index(one)]:
            both, either = (solid[one] & solid[other]).sum(), (solid[one] | solid[other]).sum()
            assert both / either < 0.9, (one, other)


def test_rotation_stays_on_the_circle() -> None:
    """The rational form gives cosines and sines whose squares add up to 1; a half-angle tangent of 1 is a quarter turn."""
    for turn in np.linspace(-1, 1, 21).tolist():
        cosine, sine = rotation(turn)
        assert abs(cosine * cosine + sine * sine - 1) < 1e-15
    assert rotation(1.0) == (0.0, 1.0)


@given(st.integers(1, 10**6), st.integers(0, 2**32))
def test_whole_numbers_stay_below_their_limit(limit: int, seed: int) -> None:
    """`below` keeps to its range for every limit and seed."""
    bits = Bits(seed)
    assert all(0 <= bits.below(limit) < limit for _ in range(20))


@given(st.integers(0, 300), st.binary(max_size=8))
def test_a_permutation_holds_each_number_once(count: int, seed: bytes) -> None:
    """`permutation` neither loses nor repeats a number."""
    assert sorted(Bits(seed).permutation(count)) == list(range(count))


def test_keys_do_not_run_together() -> None:
    """The parts of a key are told apart by their kind and their length."""
    keys = {key_of("ab", "c"), key_of("a", "bc"), key_of("abc"), key_of(b"abc"), key_of("1"), key_of(1), key_of("1", ""), key_of()}
    assert len(keys) == 8
    assert all(0 <= key < 2**128 for key in keys)


def test_octets_are_even() -> None:
    """Random bytes have the mean and the deviation of even ones, within five standard errors."""
    octets = Bits("octets").octets((40_000,)).astype(float)
    assert abs(octets.mean() - 127.5) < 5 * 73.9 / 200
    assert abs(octets.std() - 73.9) < 1.0
    assert hashlib.sha256(Bits("octets").octets((3,)).tobytes()).digest() == hashlib.sha256(octets[:3].astype(np.uint8).tobytes()).digest()
