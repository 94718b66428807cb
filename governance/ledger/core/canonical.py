"""Canonical JSON over a restricted domain: one value, one sequence of bytes.

The domain: None, bool, int with |i| < 2**53, str without lone surrogates, list, and dict with ASCII
str keys. No floats: a number that is not an integer is a decimal string, because 1.0, 1 and 1e0
must not be three spellings of one hashed value. In this domain the bytes equal RFC 8785 (JCS);
the tests hold both against each other. Types are compared exactly: a subclass (an enum, a named
tuple) is refused, because its JSON form is somebody else's decision.

orjson alone is not enough: it writes NaN as null and reads a 23-digit integer as a float. The
guard below closes that, and the pair runs about ten times faster than a general JCS encoder.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

import orjson

from governance.ledger.core.errors import NotCanonical, TooLarge

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"

# Beyond 2**53 a reader with IEEE doubles (every JavaScript verifier) sees another number.
INT_LIMIT: Final = 2**53

# Documents of the ledger are shallow (facts 3 levels, explanations about 6); the bound keeps a
# hostile document from exhausting the stack of this or of a second verifier.
MAX_DEPTH: Final = 64

# A receipt is the largest canonical document: base64 of the largest facts and body fits below.
MAX_BYTES: Final = 4 * 1024 * 1024

_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER

_BACKSLASH: Final = ord("\\")

_NEXT: Final = (
    "Send integers below 2**53, decimal strings for other numbers, lists, and objects with "
    "ASCII names."
)


def dumps(value: Json) -> bytes:
    """Return the canonical bytes of `value`; raise NotCanonical outside the domain."""
    if type(value) is dict:  # what facts are; one call less
        _check_all(value.values(), MAX_DEPTH - 1, names=False)
    else:
        _check_all((value,), MAX_DEPTH, names=False)
    try:
        raw = orjson.dumps(value, option=_OPTIONS)
    except orjson.JSONEncodeError as error:  # a name of another type, or a lone surrogate
        raise NotCanonical(
            "a string is not valid Unicode text, or a name is not text", next_step=_NEXT
        ) from error
    if not raw.isascii():  # else every name in it is
        _check_all((value,), MAX_DEPTH, names=True)
    if len(raw) > MAX_BYTES:
        raise TooLarge(
            f"the document has {len(raw)} bytes, the limit is {MAX_BYTES}",
            next_step="Store the content as an artifact and put its digest in the document.",
        )
    return raw


def loads(raw: bytes) -> Json:
    """Return the value whose canonical bytes are exactly `raw`; raise NotCanonical otherwise.

    Re-encoding and comparing refuses duplicate names, spaces, another order, escapes that are
    not needed, "-0", floats and big integers in one rule.
    """
    if not isinstance(raw, bytes):  # of another type, from a column that somebody wrote
        raise NotCanonical("the document is not bytes", next_step=_NEXT)
    if len(raw) > MAX_BYTES:
        raise TooLarge(
            f"the document has {len(raw)} bytes, the limit is {MAX_BYTES}",
            next_step="Ask the sender for a document inside the limit.",
        )
    try:
        value: Json = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise NotCanonical("the bytes are not JSON", next_step=_NEXT) from error
    # Without bytes above 0x7F and without escapes every name is ASCII already.
    if _BACKSLASH in raw or not raw.isascii():
        _check_all((value,), MAX_DEPTH, names=True)
    elif type(value) is dict:  # what facts are
        _check_parsed(value.values(), MAX_DEPTH - 1)
    else:
        _check_parsed((value,), MAX_DEPTH)
    try:
        same = orjson.dumps(value, None, _OPTIONS) == raw
    except orjson.JSONEncodeError as error:  # what was parsed can be written but for its integers
        raise _too_large_an_integer() from error
    if not same:
        raise NotCanonical("the bytes are JSON but not the canonical spelling", next_step=_NEXT)
    return value


def _check_parsed(items: Iterable[object], depth: int) -> None:
    """Refuse parsed values that have no canonical form, where names are known to be ASCII text.

    Hot: a call for a container only. Integers have their range from `_OPTIONS`, when written.
    """
    for item in items:
        kind = type(item)
        if kind is str or item is None or kind is bool or kind is int:
            continue
        if kind is float:
            raise _no_form(kind)
        if depth == 0:
            raise _too_deep()
        if item:
            within = item.values() if kind is dict else item  # type: ignore[attr-defined]
            _check_parsed(within, depth - 1)  # type: ignore[arg-type]


def _check_all(items: Iterable[object], depth: int, *, names: bool) -> None:
    """Refuse values that have no canonical form. Hot: exact types, a call for a container only.

    `names` False leaves out the names of objects, for a caller who sees to them otherwise.
    """
    for item in items:
        kind = type(item)
        if kind is str or item is None or kind is bool:
            continue
        if kind is int:
            if not -INT_LIMIT < item < INT_LIMIT:  # type: ignore[operator]
                raise _too_large_an_integer()
            continue
        if depth == 0:
            raise _too_deep()
        if kind is dict:
            if names:
                _check_names(item)  # type: ignore[arg-type]
            _check_all(item.values(), depth - 1, names=names)  # type: ignore[attr-defined]
        elif kind is list:
            if item:
                _check_all(item, depth - 1, names=names)  # type: ignore[arg-type]
        else:
            raise _no_form(kind)


def _check_names(value: dict[object, object]) -> None:
    for name in value:
        # ASCII, so that sorting by bytes, by code point and by UTF-16 unit (JCS) is one order.
        if type(name) is not str or not name.isascii():
            raise NotCanonical("an object name is not ASCII text", next_step=_NEXT)


def _too_large_an_integer() -> NotCanonical:
    return NotCanonical("an integer is not below 2**53 in size", next_step=_NEXT)


def _too_deep() -> NotCanonical:
    return NotCanonical(f"nesting is deeper than {MAX_DEPTH}", next_step=_NEXT)


def _no_form(kind: type) -> NotCanonical:
    return NotCanonical(f"a value of type {kind.__name__} has no JSON form", next_step=_NEXT)
