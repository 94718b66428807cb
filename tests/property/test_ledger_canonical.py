"""Canonical JSON against a second implementation of RFC 8785, on values nobody chose."""

from __future__ import annotations

import json

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from governance.ledger.core.canonical import dumps, loads
from governance.ledger.core.errors import NotCanonical

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = st.text(st.characters(max_codepoint=127))
SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=25
)


@given(VALUES)
def test_the_bytes_are_those_of_rfc_8785_and_come_back(value: object) -> None:
    raw = dumps(value)
    assert raw == rfc8785.dumps(value)
    assert loads(raw) == value


@given(st.dictionaries(NAMES, SCALARS), st.randoms(use_true_random=False))
def test_the_order_in_which_names_were_set_does_not_matter(
    value: dict[str, object], shuffle: object
) -> None:
    names = list(value)
    shuffle.shuffle(names)
    assert dumps({name: value[name] for name in names}) == dumps(value)


@given(VALUES)
def test_any_other_spelling_of_a_value_is_refused(value: object) -> None:
    raw = dumps(value)
    for spelled in (
        json.dumps(value),
        json.dumps(value, indent=1, sort_keys=True),
        json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n",
    ):
        if spelled.encode() != raw:
            try:
                loads(spelled.encode())
            except NotCanonical:
                continue
            raise AssertionError(spelled)


@given(st.binary(max_size=60) | st.text('[]{}",:0123456789eE+-.truefalsn \\u').map(str.encode))
def test_bytes_are_either_canonical_or_refused(raw: bytes) -> None:
    try:
        value = loads(raw)
    except NotCanonical:
        return
    assert dumps(value) == raw
