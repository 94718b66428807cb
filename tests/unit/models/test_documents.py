from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.documents import (
    MAX_CHARACTERS,
    decimal_record,
    parse_document,
    value_record,
)
from models.errors import DocumentUnreadable


def test_every_kind_of_value_is_read_as_what_it_is() -> None:
    text = 'a: 1\nb: 0.80\nc: true\nd: null\ne: text\nf: "1"\ng: [1, -2]\nh: {i: -0.5}\n'
    assert parse_document(text) == {
        "a": 1,
        "b": Decimal("0.80"),
        "c": True,
        "d": None,
        "e": "text",
        "f": "1",
        "g": [1, -2],
        "h": {"i": Decimal("-0.5")},
    }


def test_a_decimal_is_never_a_float() -> None:
    value = parse_document("floor: 0.1")["floor"]
    assert type(value) is Decimal
    assert value * 3 == Decimal("0.3")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("True", "True"),
        ("1:30", "1:30"),
        ("010", "010"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("1e3", "1e3"),
        (".5", ".5"),
        (".nan", ".nan"),
        (".inf", ".inf"),
        ("2005-06-01", "2005-06-01"),
        ("=", "="),
    ],
)
def test_what_yaml_would_reinterpret_stays_text(text: str, meant: str) -> None:
    assert parse_document(f"value: {text}") == {"value": meant}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\na: 2\n", "appears twice (line 2, column 1)"),
        ("a: {b: 1, b: 1}\n", "appears twice"),
        ("a: &x 1\nb: *x\n", "anchors and aliases"),
        ("a: &x {b: 1}\n", "anchors and aliases"),
        ("<<: {a: 1}\nb: 2\n", "a key is plain ASCII"),
        ("a: !!python/object/apply:os.system [id]\n", "tag"),
        ("a: !!int '12x'\n", "not a value"),
        ("a: !!float 1e5\n", "not a value"),
        ("a: !!timestamp 2005-06-01\n", "not a value"),
        ("a: !!binary aGk=\n", "not a value"),
        ("a: !!set {b}\n", "tag"),
        ("1: a\n", "a key is plain ASCII"),
        ("true: a\n", "a key is plain ASCII"),
        ("naïve: a\n", "a key is plain ASCII"),
        ("two words: a\n", "a key is plain ASCII"),
        ("? [a]\n: b\n", "a key is plain ASCII"),
        ("- a\n", "one mapping"),
        ("just text\n", "one mapping"),
        ("", "one mapping"),
        ("a: 1\n---\nb: 2\n", "not well-formed"),
        ("a: [1\n", "not well-formed"),
        ("a:\tb: c\n", "not well-formed"),
        ("a: \x00\n", "not well-formed"),
        (f"a: {2**53}\n", "not a value"),
        (f"a: 0.{'1' * 40}\n", "not a value"),
        ("a: " + "[" * 20 + "]" * 20 + "\n", "nested deeper"),
        ("a: " + "[" * 200_000 + "\n", "nested deeper"),
        ("a:" + " -" * 100_000 + "\n", "not well-formed"),
        ("- " * 100_000 + "\n", "nested deeper"),
        ("? " * 100_000 + "\n", "nested deeper"),
        ("a: " + "x" * MAX_CHARACTERS, "longer than"),
    ],
)
def test_what_is_no_strict_document_is_refused_with_the_place(text: str, says: str) -> None:
    with pytest.raises(DocumentUnreadable, match=r".") as refused:
        parse_document(text)
    assert says in str(refused.value)
    assert refused.value.next_step


def test_a_billion_laughs_is_refused_before_it_is_expanded() -> None:
    pairs = zip("abcdefgh", "bcdefghi", strict=True)
    rungs = ["a: &a [x, x]"] + [f"{this}: &{this} [*{last}, *{last}]" for last, this in pairs]
    with pytest.raises(DocumentUnreadable):
        parse_document("\n".join(rungs))


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_and_never_breaks_the_reader(text: str) -> None:
    try:
        parse_document(text)
    except DocumentUnreadable:
        return


@pytest.mark.parametrize(
    ("written", "recorded"),
    [
        ("0.80", "0.8"),
        ("0.8", "0.8"),
        ("-0.0", "0"),
        ("100", "100"),
        ("1.000", "1"),
        ("0.05", "0.05"),
    ],
)
def test_a_decimal_has_one_record_however_it_is_written(written: str, recorded: str) -> None:
    assert decimal_record(Decimal(written)) == recorded


def test_a_float_has_no_record_form() -> None:
    with pytest.raises(AssertionError, match="float"):
        value_record({"a": [0.5]})
