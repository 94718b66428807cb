"""Canonical JSON takes one spelling of each value and refuses every other."""

from __future__ import annotations

import enum

import pytest
import rfc8785

from governance.ledger.core.canonical import MAX_BYTES, MAX_DEPTH, dumps, loads
from governance.ledger.core.errors import NotCanonical, TooLarge

IN_DOMAIN = {
    "null": None,
    "booleans are not integers": [True, False, 1, 0],
    "the largest integers": [2**53 - 1, -(2**53 - 1)],
    "empty containers": {"a": {}, "b": []},
    "names in byte order": {"b": 1, "a": 2, "B": 3, "_": 4, "aa": 5},
    "controls, quotes and slashes": "".join(map(chr, range(0x20))) + '"\\/\x7f',
    "text beyond the basic plane": "né \u2028 \U0001f9ec \ufeff",
    "a decimal as text": {"auc": "0.8421"},
}


class Colour(enum.StrEnum):
    RED = "red"


OUTSIDE = {
    "a float": 1.0,
    "a float in a list": [1, 2.5],
    "not a number": float("nan"),
    "infinity": float("inf"),
    "an integer of 2**53": 2**53,
    "an integer below -2**53": -(2**53),
    "a 23-digit integer": 10**22,
    "bytes": b"raw",
    "a tuple": (1, 2),
    "a set": {1},
    "an enum, although it is text": Colour.RED,
    "a non-ASCII name": {"é": 1},
    "a numeric name": {1: "a"},
    "a name that is None": {None: "a"},
    "an enum as a name": {Colour.RED: 1},
    "a lone surrogate": "\ud800",
    "a lone surrogate deep inside": {"a": [{"b": "x\udfff"}]},
    "an object": object(),
}

NOT_THE_SPELLING = {
    "nothing": b"",
    "a space after the colon": b'{"a": 1}',
    "a space before": b" 1",
    "a newline after": b"1\n",
    "a byte order mark": b"\xef\xbb\xbf1",
    "names out of order": b'{"b":1,"a":2}',
    "a doubled name": b'{"a":1,"a":1}',
    "a doubled name with another value": b'{"a":1,"a":2}',
    "a float": b"1.0",
    "an exponent": b"1e2",
    "minus zero": b"-0",
    "a leading zero": b"01",
    "a plus sign": b"+1",
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "an integer of 2**53": b"9007199254740992",
    "a 23-digit integer": b"10000000000000000000000",
    "an escape that is not needed": b'"\\u0061"',
    "an escaped slash": b'"\\/"',
    "an upper-case escape": b'"\\u001F"',
    "a lone surrogate escape": b'"\\ud800"',
    "a surrogate pair escape": b'"\\ud83e\\uddec"',
    "not UTF-8": b'"\xff"',
    "overlong UTF-8": b'"\xc0\xaf"',
    "a raw control character": b'"\x01"',
    "single quotes": b"'a'",
    "a trailing comma": b"[1,]",
    "a comment": b"1//",
    "two values": b"1 2",
    "cut off": b'{"a":',
    "a non-ASCII name": '{"é":1}'.encode(),
    "deeper than any stack": b"[" * 100_000,
}


@pytest.mark.parametrize("value", IN_DOMAIN.values(), ids=IN_DOMAIN)
def test_values_in_the_domain_have_the_bytes_of_rfc_8785_and_come_back(value: object) -> None:
    raw = dumps(value)
    assert raw == rfc8785.dumps(value)
    assert loads(raw) == value


@pytest.mark.parametrize("value", OUTSIDE.values(), ids=OUTSIDE)
def test_values_outside_the_domain_are_refused(value: object) -> None:
    with pytest.raises(NotCanonical):
        dumps(value)
    with pytest.raises(NotCanonical):
        dumps({"a": [value]})


@pytest.mark.parametrize("raw", NOT_THE_SPELLING.values(), ids=NOT_THE_SPELLING)
def test_other_spellings_are_refused(raw: bytes) -> None:
    with pytest.raises(NotCanonical):
        loads(raw)


@pytest.mark.parametrize("value", [2**53, -(2**53)])
def test_the_first_integer_out_of_range_is_named_as_such(value: int) -> None:
    with pytest.raises(NotCanonical, match="integer"):
        dumps(value)


def _nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def test_the_deepest_admitted_nesting_passes_and_one_more_does_not() -> None:
    assert loads(dumps(_nested(MAX_DEPTH))) == _nested(MAX_DEPTH)
    with pytest.raises(NotCanonical, match="nesting"):
        dumps(_nested(MAX_DEPTH + 1))
    with pytest.raises(NotCanonical, match="nesting"):
        loads(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(NotCanonical, match="nesting"):
        dumps(loop)


def test_a_document_beyond_the_size_limit_is_refused_both_ways() -> None:
    fits = "a" * (MAX_BYTES - 2)
    assert loads(dumps(fits)) == fits
    with pytest.raises(TooLarge):
        dumps(fits + "a")
    with pytest.raises(TooLarge):
        loads(b'"' + b"a" * MAX_BYTES + b'"')


def test_an_error_tells_no_content() -> None:
    with pytest.raises(NotCanonical) as caught:
        dumps({"name": "Ann Example", "mrn": 1.5})
    assert "Ann" not in str(caught.value)
    assert "mrn" not in str(caught.value) + caught.value.next_step
