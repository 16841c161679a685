"""Values that may cross the channel, as MessagePack: numbers, text, bytes, lists, tuples, mappings, arrays, references.

A live object (a model, a data set, a callable) never crosses. It stays where it lives and a reference crosses in its place; the
caller of `pack` and `unpack` says what a reference stands for. Nothing here can run code: no pickle, no object arrays.

A byte on the wire may stand for a hundred in memory (an empty mapping), and some bytes for much more time than others (keys that are made
to collide). So a document is looked over before anything of it is built: how many values it announces, how deep, with which keys.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

import msgpack
import numpy as np

from grader.channel.frames import MAX_FRAME_BYTES
from grader.errors import ValueRefused

ARRAY_DTYPES: Final = frozenset(
    ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64")
)
MAX_DEPTH: Final = 24
MAX_DIMENSIONS: Final = 8
MAX_VALUES: Final = 1_000_000
"""Values in one document: items of lists and tuples, keys and values of mappings; an array is one, whatever its size. The largest answer in
a grading of the reference has 426, the largest question 9,185; `lab measure` asks for 100,000 examples, which are 500,000 values. As
many as may be take about as much memory as the largest frame: 70 bytes for each (an empty mapping), if they are not small numbers."""
MAX_NUMBER_KEYS: Final = 1000
"""Keys in one document that are numbers; no answer of the reference has any. Everybody knows the hash of a number (it is the number modulo
2**61 - 1), so keys of 64 bits can be chosen that meet in a mapping wherever they are put: filling it takes the square of their number, some
milliseconds for a thousand. The hash of a text is drawn anew by each process, that of a tuple is not."""
MAX_COPIED_BYTES: Final = 2 * MAX_FRAME_BYTES
"""Each tuple is a document in its document, and is copied out of it; tuples in tuples are copied as often as they are deep."""
_HEADER_BYTES: Final = 100
"""Most that dtype and shape of an array take: 9 bytes for each dimension, and a name."""
_TUPLE, _ARRAY, _REFERENCE, _NAMED = 1, 2, 3, 4


class Named(dict[str, Any]):
    """A named tuple of the other side's: its fields by name, in their order, so that it can be read as the tuple that it is too."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Stands for a live object that stays on its side.

    Attributes:
        owner: The side the object lives on, `host` or `worker`.
        number: The object's number there.
        kind: What the object is, for messages: its class's name.
    """

    owner: str
    number: int
    kind: str


def pack(value: Any, refer: Callable[[Any], Reference]) -> bytes:
    """Turns a value into bytes.

    Args:
        value: What is to cross. Named tuples become `Named`, dataclasses mappings, NumPy scalars become numbers, and anything with a
            `numpy()` method becomes an array.
        refer: Makes a reference for an object of any other type, or raises `ValueRefused`.

    Returns:
        One MessagePack document.

    Raises:
        ValueRefused: Something in the value may not cross; the message names its type.
    """
    try:
        packed: bytes = msgpack.packb(_plain(value, refer, 0), use_bin_type=True)
    except (OverflowError, ValueError, TypeError) as error:
        raise ValueRefused(f"a value cannot cross the channel: {error}") from error
    look_over(packed)
    return packed


def unpack(payload: bytes, resolve: Callable[[Reference], Any], *, writable: bool = False) -> Any:
    """Turns bytes back into a value.

    Args:
        payload: What `pack` made, or anything a hostile peer sends.
        resolve: Finds what a reference stands for on this side, or raises `ValueRefused`.
        writable: Makes arrays that own their memory. Without it they are read-only views.

    Returns:
        The value.

    Raises:
        ValueRefused: The bytes are not such a document, or hold an array, a key, a nesting or a number of values that is not allowed.
    """
    look_over(payload)
    return _Unpacker(resolve, writable).read(payload, 0)


_FIXED: Final = {
    **dict.fromkeys((0xC0, 0xC2, 0xC3), 0),  # nil, false, true
    **dict.fromkeys((0xCC, 0xD0), 1),
    **dict.fromkeys((0xCD, 0xD1), 2),
    **dict.fromkeys((0xCA, 0xCE, 0xD2), 4),  # a float among them
    **dict.fromkeys((0xCB, 0xCF, 0xD3), 8),  # a float among them
}
"""How many bytes follow the first one of a value whose size is known by it (MessagePack's specification)."""
_SIZED: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
"""How many bytes tell the length of bytes and text."""
_EXTENSION: Final = {0xC7: 1, 0xC8: 2, 0xC9: 4}
"""How many bytes tell the length of an extension."""
_NUMBER_KEYS: Final = frozenset((*range(0x80), *range(0xE0, 0x100), *range(0xCC, 0xD4)))
_TEXT_KEYS: Final = frozenset((*range(0xA0, 0xC0), 0xD9, 0xDA, 0xDB))


def look_over(payload: bytes) -> None:
    """Goes through a document without building anything of it; takes as long as it announces values, whatever the size of its arrays.

    Args:
        payload: What `pack` made, or anything a hostile peer sends.

    Raises:
        ValueRefused: The document is cut short, has more than `MAX_VALUES` values, is nested more than `MAX_DEPTH` deep, has keys that are
            neither text nor whole numbers, more than `MAX_NUMBER_KEYS` of the latter, or extensions that `pack` does not make.
    """
    try:
        place = _go_through(payload)
    except IndexError:
        place = len(payload) + 1
    if place != len(payload):
        raise ValueRefused("the other side sent something that is not a value: it ends too early or too late")


def _go_through(payload: bytes) -> int:
    # One loop, since a call for each value would take as long again.
    place = values = number_keys = copied = 0
    left, mapping, end, depth = 1, False, -1, 0  # of the container that is being gone through
    around: list[tuple[int, bool, int, int]] = []
    while True:
        while left == 0:
            if end not in (-1, place):
                raise ValueRefused("an extension with something else behind its value")
            if not around:
                return place
            left, mapping, end, depth = around.pop()
        first = payload[place]
        if mapping and not left & 1:  # keys and values take turns
            if first in _NUMBER_KEYS:
                number_keys += 1
                if number_keys > MAX_NUMBER_KEYS:
                    raise ValueRefused(f"mappings with more than {MAX_NUMBER_KEYS} numbers as keys")
            elif first not in _TEXT_KEYS:
                raise ValueRefused("a mapping's key must be text or an integer")
        left -= 1
        place += 1
        if first < 0x80 or first >= 0xE0:  # a small number
            continue
        if first in _FIXED:
            place += _FIXED[first]
            continue
        if 0xA0 <= first < 0xC0:  # short text
            place += first & 0x1F
            continue
        if first in _SIZED:
            width = _SIZED[first]
            place += width + int.from_bytes(payload[place : place + width], "big")
            continue
        if first < 0xA0 or first >= 0xDC:  # a list or mapping
            inner_mapping = first < 0x90 or first >= 0xDE
            if first < 0xA0:
                count = first & 0x0F
            else:
                width = 4 if first & 1 else 2
                count = int.from_bytes(payload[place : place + width], "big")
                place += width
            inner, inner_end, inner_depth = 2 * count if inner_mapping else count, -1, depth + 1
        else:  # an extension, or 0xC1, which nothing is
            if first in _EXTENSION:
                width = _EXTENSION[first]
                size = int.from_bytes(payload[place : place + width], "big")
                place += width
            elif first >= 0xD4:
                size = 1 << (first - 0xD4)
            else:
                raise ValueRefused("the other side sent something that is not a value")
            code = payload[place]
            place += 1
            if code == _ARRAY:
                if int.from_bytes(payload[place : place + 2], "big") > _HEADER_BYTES:
                    raise ValueRefused("an array without an allowed dtype and shape")
                place += size
                continue
            if code not in (_TUPLE, _REFERENCE, _NAMED):
                raise ValueRefused(f"an unknown kind of value, {code}")
            copied += size
            if copied > MAX_COPIED_BYTES:
                raise ValueRefused("tuples in tuples that hold too many bytes")
            if not (0x90 <= payload[place] < 0xA0 or payload[place] in (0xDC, 0xDD)):
                raise ValueRefused("a tuple or reference without items")
            inner_mapping, inner, inner_end, inner_depth = False, 1, place + size, depth
        values += inner
        if values > MAX_VALUES:
            raise ValueRefused(f"a value of more than {MAX_VALUES} parts cannot cross the channel: pass numbers as one array, not as lists")
        if inner_depth > MAX_DEPTH + 2:  # what is around a value in a message
            raise ValueRefused(f"a value is nested more than {MAX_DEPTH} deep")
        around.append((left, mapping, end, depth))
        left, mapping, end, depth = inner, inner_mapping, inner_end, inner_depth


def _plain(value: Any, refer: Callable[[Any], Reference], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ValueRefused(f"a value is nested more than {MAX_DEPTH} deep")
    if value is None or type(value) in (bool, int, float, str, bytes):
        return value
    if isinstance(value, Reference):
        return msgpack.ExtType(_REFERENCE, msgpack.packb([value.owner, value.number, value.kind]))
    if isinstance(value, np.ndarray):
        return _plain_array(value, refer, depth)
    if isinstance(value, np.generic):
        return _plain(value.item(), refer, depth + 1)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        items = [_plain(item, refer, depth + 1) for item in value]
        return msgpack.ExtType(_NAMED, msgpack.packb([*map(str, value._fields), *items], use_bin_type=True))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name), refer, depth + 1) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return msgpack.ExtType(_TUPLE, msgpack.packb([_plain(item, refer, depth + 1) for item in value], use_bin_type=True))
    if isinstance(value, list):
        return [_plain(item, refer, depth + 1) for item in value]
    if isinstance(value, Mapping):
        return {_plain_key(key): _plain(item, refer, depth + 1) for key, item in value.items()}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    for base in (int, float, str):  # subclasses: only the plain value crosses
        if isinstance(value, base):
            return base(value)
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "numpy") and hasattr(value, "shape") and hasattr(value, "dtype"):
        return _plain(np.asarray(value.numpy()) if value.dtype != "string" else value.numpy(), refer, depth + 1)
    return _plain(refer(value), refer, depth + 1)


def _plain_key(key: Any) -> str | int:
    if isinstance(key, str):
        return str(key)
    if isinstance(key, (int, np.integer)):
        return int(key)
    raise ValueRefused(f"a mapping's key must be text or an integer, received {type(key).__name__}")


def _plain_array(array: np.ndarray, refer: Callable[[Any], Reference], depth: int) -> Any:
    array = np.asarray(array)
    if array.dtype.kind in "OSU":
        return [_plain(item, refer, depth + 1) for item in array.tolist()] if array.ndim else _plain(array.item(), refer, depth + 1)
    if array.dtype.name not in ARRAY_DTYPES:
        raise ValueRefused(f"an array of dtype {array.dtype.name} cannot cross the channel; allowed: {', '.join(sorted(ARRAY_DTYPES))}")
    if array.ndim > MAX_DIMENSIONS:
        raise ValueRefused(f"an array of {array.ndim} dimensions cannot cross the channel; at most {MAX_DIMENSIONS}")
    _require_sensible(array.shape)
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)
    header = msgpack.packb([array.dtype.name, list(array.shape)])
    return msgpack.ExtType(_ARRAY, len(header).to_bytes(2, "big") + header + little.tobytes())


def _require_sensible(shape: Sequence[int]) -> None:
    """Refuses an empty array that is a terabyte as lists: it takes no bytes, whatever its other sizes say."""
    if 0 in shape and math.prod(max(size, 1) for size in shape) > MAX_VALUES:
        raise ValueRefused(f"an empty array of shape {tuple(shape)} cannot cross the channel")


class _Unpacker:
    def __init__(self, resolve: Callable[[Reference], Any], writable: bool) -> None:
        self._resolve = resolve
        self._writable = writable

    def read(self, payload: bytes, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ValueRefused(f"a value is nested more than {MAX_DEPTH} deep")
        try:
            return msgpack.unpackb(
                payload,
                raw=False,
                strict_map_key=False,
                ext_hook=lambda code, data: self._extension(code, data, depth + 1),
            )
        except ValueRefused:
            raise
        except (ValueError, TypeError, RecursionError, MemoryError, msgpack.UnpackException, OverflowError) as error:
            raise ValueRefused(f"the other side sent something that is not a value: {type(error).__name__}: {error}") from error

    def _extension(self, code: int, data: bytes, depth: int) -> Any:
        if code == _TUPLE:
            items = self.read(data, depth)
            if not isinstance(items, list):
                raise ValueRefused("a tuple without items")
            return tuple(items)
        if code == _NAMED:
            items = self.read(data, depth)
            count = len(items) // 2 if isinstance(items, list) else 0
            if not isinstance(items, list) or len(items) != 2 * count or not all(type(name) is str for name in items[:count]):
                raise ValueRefused("a named tuple without a name for each item")
            return Named(zip(items[:count], items[count:], strict=True))
        if code == _ARRAY:
            return self._array(data, depth)
        if code == _REFERENCE:
            parts = self.read(data, depth)
            match parts:
                case [str(owner), int(number), str(kind)]:
                    return self._resolve(Reference(owner, number, kind[:80]))
            raise ValueRefused("a reference without owner, number and kind")
        raise ValueRefused(f"an unknown kind of value, {code}")

    def _array(self, data: bytes, depth: int) -> np.ndarray:
        length = int.from_bytes(data[:2], "big")
        match self.read(data[2 : 2 + length], depth):
            case [str(name), list(shape)] if name in ARRAY_DTYPES and len(shape) <= MAX_DIMENSIONS:
                pass
            case _:
                raise ValueRefused("an array without an allowed dtype and shape")
        if not all(type(size) is int and size >= 0 for size in shape):
            raise ValueRefused("an array with a shape that is not made of sizes")
        dtype = np.dtype(name).newbyteorder("<")
        body = data[2 + length :]
        count = math.prod(shape)
        _require_sensible(shape)
        if count * dtype.itemsize != len(body):
            raise ValueRefused(f"an array of shape {tuple(shape)} and dtype {name} with {len(body)} bytes")
        array = np.frombuffer(body, dtype=dtype).reshape(shape)
        return array.astype(dtype.newbyteorder("="), copy=self._writable)
