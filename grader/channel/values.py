"""Values that may cross the channel, as MessagePack: numbers, text, bytes, lists, tuples, mappings, arrays, references.

A live object (a model, a data set, a callable) never crosses. It stays where it lives and a reference crosses in its place; the
caller of `pack` and `unpack` says what a reference stands for. Nothing here can run code: no pickle, no object arrays.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

import msgpack
import numpy as np

from grader.errors import ValueRefused

ARRAY_DTYPES: Final = frozenset(
    ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64")
)
MAX_DEPTH: Final = 24
MAX_DIMENSIONS: Final = 8
_TUPLE, _ARRAY, _REFERENCE = 1, 2, 3


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
        value: What is to cross. Named tuples and dataclasses become mappings, NumPy scalars become numbers, and anything with a
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
        ValueRefused: The bytes are not such a document, or hold an array or a nesting that is not allowed.
    """
    value = _Unpacker(resolve, writable).read(payload, 0)
    _require_shallow(value)
    return value


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
        return {str(name): _plain(item, refer, depth + 1) for name, item in zip(value._fields, value, strict=True)}
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


def _require_shallow(value: Any) -> None:
    # Level by level, not by recursion: what is too deep would end a recursion as well.
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 2):
        level = [
            item
            for container in level
            if isinstance(container, (list, tuple, dict))
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, (list, tuple, dict))
        ]
        if not level:
            return
    raise ValueRefused(f"a value is nested more than {MAX_DEPTH} deep")


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
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)
    header = msgpack.packb([array.dtype.name, list(array.shape)])
    return msgpack.ExtType(_ARRAY, len(header).to_bytes(2, "big") + header + little.tobytes())


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
        count = 1
        for size in shape:
            count *= size
        if count * dtype.itemsize != len(body):
            raise ValueRefused(f"an array of shape {tuple(shape)} and dtype {name} with {len(body)} bytes")
        array = np.frombuffer(body, dtype=dtype).reshape(shape)
        return array.astype(dtype.newbyteorder("="), copy=self._writable)
