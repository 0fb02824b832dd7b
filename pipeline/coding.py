"""Frozen values as what JSON can hold, and back: told by their types, without a loss.

A dataclass is an object with all of its fields by name, a tuple (also one with names) a list, and
bytes are base64. Read are only values of the very types that are expected: what is missing may be
had by default, and what is unknown is an error, because it would be lost.
"""

from __future__ import annotations

import dataclasses
import sys
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType, NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Coding(NamedTuple, Generic[T]):
    """How values of one type become what JSON can hold, and how they are read: or ValueError."""

    write: Callable[[T], Any]
    read: Callable[[Any], T]


class Known(NamedTuple):
    """What is known beside the types themselves.

    ``names`` are those that hints use and their modules do not have; ``codings`` are of types that
    are written in a way of their own.
    """

    names: Mapping[str, Any] = MappingProxyType({})
    codings: Mapping[Any, Coding[Any]] = MappingProxyType({})


def coding_of(kind: Any, known: Known) -> Coding[Any]:
    """The coding of a type. A TypeError for one that nothing is known of."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind in known.codings:
        return known.codings[kind]
    if kind in SCALARS:
        return Coding(_same, partial(_scalar, SCALARS[kind]))
    if kind is bytes:
        return Coding(_base64, _bytes)
    if origin is Literal:
        return Coding(_same, partial(_literal, inner))
    if origin is tuple and inner[1:] == (...,):
        return _tuple(coding_of(inner[0], known))
    if origin in (Union, UnionType) and len(inner) == 2 and NoneType in inner:
        return _optional(coding_of(next(each for each in inner if each is not NoneType), known))
    if origin is Mapping and inner[0] is str:
        return _mapping(coding_of(inner[1], known))
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, known)
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _named_tuple(kind, known)
    raise TypeError(f"nothing is known of how {kind!r} is written")


# A number keeps its type: 1 and 1.0 are shown in different ways.
SCALARS: dict[Any, tuple[type, ...]] = {
    str: (str,),
    int: (int,),
    bool: (bool,),
    float: (float, int),
}


def _same(value: Any) -> Any:
    return value


def _scalar(types: tuple[type, ...], plain: Any) -> Any:
    if type(plain) not in types:
        raise ValueError(f"{types[0].__name__} expected, not {type(plain).__name__}")
    return plain


def _literal(allowed: tuple[Any, ...], plain: Any) -> Any:
    if type(plain) is not str or plain not in allowed:
        raise ValueError(f"one of {allowed} expected")
    return plain


def _base64(value: bytes) -> str:
    return b64encode(value).decode("ascii")


def _bytes(plain: Any) -> bytes:
    try:
        return b64decode(_scalar((str,), plain), validate=True)
    except NotBase64 as error:
        raise ValueError("base64 expected") from error


def _list(plain: Any) -> list[Any]:
    read: list[Any] = _scalar((list,), plain)
    return read


def _tuple(each: Coding[Any]) -> Coding[Any]:
    write, read = each
    return Coding(
        list if write is _same else lambda value: [write(one) for one in value],
        lambda plain: tuple([read(one) for one in _list(plain)]),
    )


def _optional(there: Coding[Any]) -> Coding[Any]:
    write, read = there
    return Coding(
        lambda value: None if value is None else write(value),
        lambda plain: None if plain is None else read(plain),
    )


def _mapping(each: Coding[Any]) -> Coding[Any]:
    write, read = each
    return Coding(
        lambda value: {name: write(one) for name, one in value.items()},
        lambda plain: {name: read(one) for name, one in _scalar((dict,), plain).items()},
    )


def _named_tuple(kind: Any, known: Known) -> Coding[Any]:
    codings = tuple(_fields(kind, known).values())

    def write(value: Any) -> list[Any]:
        return [each.write(one) for each, one in zip(codings, value, strict=True)]

    def read(plain: Any) -> Any:
        return kind(*[each.read(one) for each, one in zip(codings, _list(plain), strict=True)])

    return Coding(write, read)


def _dataclass(kind: Any, known: Known) -> Coding[Any]:
    codings = _fields(kind, known)
    writes = tuple((name, each.write) for name, each in codings.items())
    reads = {name: each.read for name, each in codings.items()}

    def write(value: Any) -> dict[str, Any]:
        return {name: write(getattr(value, name)) for name, write in writes}

    def read(plain: Any) -> Any:
        try:
            return kind(**{name: reads[name](one) for name, one in _scalar((dict,), plain).items()})
        except (KeyError, TypeError) as error:  # an unknown field, or one is missing
            raise ValueError(f"no {kind.__name__}") from error

    return Coding(write, read)


def _fields(kind: Any, known: Known) -> dict[str, Coding[Any]]:
    """The codings of a class's fields, in their order."""
    names = {**vars(sys.modules[kind.__module__]), **known.names}
    # Not among the class's own names: a field may be called as a type is.
    hints = get_type_hints(kind, names, {})
    return {name: coding_of(hint, known) for name, hint in hints.items()}
