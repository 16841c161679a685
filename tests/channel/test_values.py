"""What crosses the channel arrives as it was sent, or is refused."""

from __future__ import annotations

import dataclasses
import math
import tracemalloc
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from grader.channel import values
from grader.channel.values import ARRAY_DTYPES, MAX_DEPTH, MAX_NUMBER_KEYS, Named, Reference, pack, unpack
from grader.errors import ChannelError, ValueRefused

DTYPES = [np.dtype(name).newbyteorder(order) for name in sorted(ARRAY_DTYPES) for order in "<>"]
ARRAYS = st.sampled_from(DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)))
PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(st.characters(codec="utf-8")) | st.binary()
KEYS = st.text(st.characters(codec="utf-8")) | st.integers(-(2**63), 2**63)
VALUES = st.recursive(
    PLAIN | ARRAYS,
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def refuse(value: Any) -> Reference:
    """Nothing may be referred to."""
    raise ValueRefused(f"refused: {type(value).__name__}")


def same(found: Any, sent: Any) -> bool:
    """Equal in type and value; NaN equals NaN."""
    if isinstance(sent, np.ndarray):
        return (
            type(found) is np.ndarray
            and found.shape == sent.shape
            and found.dtype == sent.dtype.newbyteorder("=")
            and found.dtype.isnative
            and np.array_equal(found, sent, equal_nan=sent.dtype.kind == "f")
        )
    if isinstance(sent, (list, tuple)):
        return type(found) is type(sent) and len(found) == len(sent) and all(same(a, b) for a, b in zip(found, sent, strict=True))
    if isinstance(sent, dict):
        return type(found) is dict and found.keys() == sent.keys() and all(same(found[key], sent[key]) for key in sent)
    if isinstance(sent, float) and math.isnan(sent):
        return isinstance(found, float) and math.isnan(found)
    return type(found) is type(sent) and found == sent


@settings(deadline=None, max_examples=200)
@given(value=VALUES, writable=st.booleans())
def test_values_arrive_as_they_were_sent(value: Any, writable: bool) -> None:
    """Numbers, text, arrays of every allowed type (empty, without dimensions, big-endian, NaN) and their nestings survive the way."""
    assert same(unpack(pack(value, refuse), refuse, writable=writable), value)


@settings(deadline=None, max_examples=100)
@given(array=ARRAYS)
def test_arrays_can_be_written_to_only_where_asked(array: np.ndarray) -> None:
    """The worker gets arrays of its own; the trusted side gets views that nobody can change."""
    payload = pack(array, refuse)
    assert unpack(payload, refuse, writable=True).flags.writeable
    assert not unpack(payload, refuse).flags.writeable or array.dtype.itemsize == 0


@settings(deadline=None, max_examples=400)
@given(payload=st.binary(max_size=80))
def test_garbage_is_refused_and_nothing_else(payload: bytes) -> None:
    """Whatever bytes come, there is a value or a ChannelError."""
    try:
        unpack(payload, refuse)
    except ChannelError:
        return


@settings(deadline=None, max_examples=300)
@given(value=VALUES, place=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_damaged_values_are_refused_and_nothing_else(value: Any, place: int, byte: int) -> None:
    """One changed byte gives another value or a ChannelError."""
    payload = bytearray(pack(value, refuse))
    payload[place % len(payload)] = byte
    try:
        unpack(bytes(payload), refuse)
    except ChannelError:
        return


def _array(name: Any, shape: Any, body: bytes) -> bytes:
    header = msgpack.packb([name, shape])
    return msgpack.packb(msgpack.ExtType(2, len(header).to_bytes(2, "big") + header + body))


@pytest.mark.parametrize(
    "payload",
    [
        _array("float32", [2, 2], b"\0" * 15),
        _array("float32", [2, 2], b"\0" * 17),
        _array("float32", [1_000_000_000_000], b""),
        _array("float32", [-1], b""),
        _array("float32", [0, 2**63], b""),
        _array("float32", [0, 2**62, 2**62], b""),
        _array("float32", [True], b"\0" * 4),
        _array("float32", [1.0], b"\0" * 4),
        _array("float32", "ab", b""),
        _array("float32", [1] * 9, b"\0" * 4),
        _array("object", [1], b"\0" * 8),
        _array("O", [1], b"\0" * 8),
        _array("complex128", [1], b"\0" * 16),
        _array("datetime64", [1], b"\0" * 8),
        _array("U4", [1], b"\0" * 16),
        _array(None, None, b""),
        msgpack.packb(msgpack.ExtType(2, b"")),
        msgpack.packb(msgpack.ExtType(2, b"\xff\xff")),
        msgpack.packb(msgpack.ExtType(1, msgpack.packb({"a": 1}))),
        msgpack.packb(msgpack.ExtType(3, msgpack.packb(["worker"]))),
        msgpack.packb(msgpack.ExtType(3, msgpack.packb(["worker", "1", "x"]))),
        msgpack.packb(msgpack.ExtType(77, b"")),
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x81\x90\x01",
        b"\xa1\xff",
        b"",
        b"\x01\x01",
    ],
)
def test_forged_values_are_refused(payload: bytes) -> None:
    """Shapes that do not fit, other dtypes, unknown extensions, lengths without content, keys that cannot be keys: all refused."""
    with pytest.raises(ValueRefused):
        unpack(payload, refuse)


@pytest.mark.parametrize("kind", ["list", "tuple", "mapping", "mixed"])
def test_deep_nesting_is_refused(kind: str) -> None:
    """A value that is nested too deep is refused on both sides, also one that would end a recursion."""

    def wrap(value: Any, level: int) -> Any:
        return {"list": [value], "tuple": (value,), "mapping": {"a": value}, "mixed": ([value], (value,), {"a": value})[level % 3]}[kind]

    value: Any = 1
    for level in range(MAX_DEPTH + 4):
        value = wrap(value, level)
    with pytest.raises(ValueRefused, match="deep"):
        pack(value, refuse)
    with pytest.raises(ValueRefused):
        unpack(b"\x91" * 300 + b"\x01", refuse)
    nested = b"\x01"
    for _ in range(20):
        nested = msgpack.packb(msgpack.ExtType(1, b"\x91" * 200 + nested))
    with pytest.raises(ValueRefused):
        unpack(nested, refuse)


def test_live_objects_need_a_reference() -> None:
    """Objects, functions, generators, sets and bytes in disguise do not cross by themselves; nothing is pickled."""
    for value in (object(), print, (number for number in range(3)), {1, 2}, 1 + 2j, Exception("x"), type):
        with pytest.raises(ValueRefused, match="refused"):
            pack([value], refuse)
    found = unpack(pack({"f": print}, lambda _: Reference("host", 7, "function")), lambda reference: reference)
    assert found == {"f": Reference("host", 7, "function")}


def test_object_arrays_never_arrive() -> None:
    """An array of Python objects crosses as a list of what may cross; an object in it is refused. Other dtypes are named."""
    assert unpack(pack(np.array([1, "a", None], dtype=object), refuse), refuse) == [1, "a", None]
    with pytest.raises(ValueRefused, match="refused: object"):
        pack(np.array([object()], dtype=object), refuse)
    for array in (np.zeros(2, complex), np.zeros(2, "datetime64[s]"), np.zeros(2, [("a", "i4")])):
        with pytest.raises(ValueRefused, match="dtype"):
            pack(array, refuse)
    with pytest.raises(ValueRefused, match="dimensions"):
        pack(np.zeros((1,) * 9), refuse)


def test_what_crosses_is_plain() -> None:
    """Subclasses lose what they added: an array that claims equality, an integer with a name, a named tuple, a dataclass, a path."""

    class Liar(np.ndarray):
        def __eq__(self, _: object) -> Any:
            return True

    class Number(int):
        pass

    class Pair(NamedTuple):
        a: int
        b: Any

    @dataclasses.dataclass
    class Record:
        x: Any

    liar = np.arange(3).view(Liar)
    found = unpack(pack([liar, Number(3), Pair(1, np.float32(2)), Record(Path("a")), np.bool_(True)], refuse), refuse)
    assert type(found[0]) is np.ndarray
    assert found[1:] == [3, {"a": 1, "b": 2.0}, {"x": "a"}, True]
    assert [type(item) for item in found[1:]] == [int, Named, dict, bool]
    assert list(found[2]) == ["a", "b"]


def test_keys_are_text_or_integers() -> None:
    """Other keys are refused by name."""
    for key in (1.5, (1, 2), None, b"a"):
        with pytest.raises(ValueRefused, match="key"):
            pack({key: 1}, refuse)


def test_numbers_that_do_not_fit_are_refused() -> None:
    """An integer of more than 64 bits, and text that is no text, are refused with a reason."""
    for value in (2**64, -(2**63) - 1, "\ud800"):
        with pytest.raises(ValueRefused):
            pack(value, refuse)


def _map(keys: list[bytes]) -> bytes:
    return b"\xdf" + len(keys).to_bytes(4, "big") + b"".join(key + b"\x00" for key in keys)


@pytest.mark.parametrize("key", [b"\xc0", b"\xc3", b"\xca" + bytes(4), b"\xcb" + bytes(8), b"\xc4\x01a", b"\x90", b"\x80", b"\xd4\x01\x90"])
def test_only_what_can_be_sent_as_a_key_arrives_as_one(key: bytes) -> None:
    """Tuples, numbers with a point, bytes and the like are no keys: hashes of tuples can be made to collide."""
    assert unpack(_map([b"\x07", b"\xd3" + b"\xff" * 8, b"\xa1a", b"\xd9\x01b"]), refuse) == {7: 0, -1: 0, "a": 0, "b": 0}
    with pytest.raises(ValueRefused):
        unpack(_map([key]), refuse)


def test_numbers_as_keys_are_few() -> None:
    """Whole numbers collide as well, so there may be only as many as cost nothing: in one mapping, or in many."""
    few = {number << 40: 0 for number in range(MAX_NUMBER_KEYS)}
    assert unpack(pack(few, refuse), refuse) == few
    for value in (few | {1: 0}, [few, {1: 0}]):
        with pytest.raises(ValueRefused, match="numbers as keys"):
            pack(value, refuse)
    packed = msgpack.packb([few, {1: 0}])
    with pytest.raises(ValueRefused, match="numbers as keys"):
        unpack(packed, refuse)
    words = {str(number): 0 for number in range(50 * MAX_NUMBER_KEYS)}
    assert unpack(pack(words, refuse), refuse) == words


@pytest.mark.parametrize("head", [b"\xdd", b"\xdf"])
@pytest.mark.parametrize("body", [b"\x80", b"\x90", b"\x00"])
def test_values_are_counted_before_they_are_built(monkeypatch: pytest.MonkeyPatch, head: bytes, body: bytes) -> None:
    """An empty mapping is a byte on the wire and 70 in memory: what announces more values than may be is refused before any is made."""
    monkeypatch.setattr(values, "MAX_VALUES", 1000)
    count = 2**16
    one = head + count.to_bytes(4, "big") + body * 2 * count
    inner = b"\xdc" + (900).to_bytes(2, "big") + body * 900
    tracemalloc.start()
    try:
        for payload in (one, b"\x92" + 2 * inner, b"\x92" + 2 * _tuple(inner), b"\x91" + head + b"\xff" * 4):
            with pytest.raises(ValueRefused, match="parts"):
                unpack(payload, refuse)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert len(unpack(inner, refuse)) == 900


def _tuple(content: bytes) -> bytes:
    packed: bytes = msgpack.packb(msgpack.ExtType(1, content))
    return packed


def test_what_an_extension_holds_is_looked_over_too() -> None:
    """An array's dtype and shape are short; a tuple holds one list that ends where the tuple does, and tuples are copied few times."""
    header = b"\xdc\xff\xf0" + b"\x80" * 0xFFF0
    for payload in (
        msgpack.packb(msgpack.ExtType(2, len(header).to_bytes(2, "big") + header)),
        msgpack.packb(msgpack.ExtType(2, b"\xff\xff" + bytes(2**16))),
        _tuple(b"\x90\x90"),
        b"\x92\xd5\x01\x91\x01\x02"[:-1],
        b"\x92\xd4\x01\x91\x01",
        _tuple(b"\x80"),
        _tuple(_tuple(b"\x90")),
        b"\xd6\xff" + bytes(4),
        b"\xc1",
    ):
        with pytest.raises(ValueRefused):
            unpack(payload, refuse)
    assert unpack(pack(((np.zeros(3), "a"), 1), refuse), refuse)[1] == 1
    nested: Any = bytes(2**24)
    for _ in range(2):
        nested = (nested, 1)
    assert unpack(pack(nested, refuse), refuse)[0][0] == bytes(2**24)
    for _ in range(8):
        nested = (nested, 1)
    with pytest.raises(ValueRefused, match="tuples in tuples"):
        pack(nested, refuse)
