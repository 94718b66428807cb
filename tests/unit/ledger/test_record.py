"""The envelope has one spelling, bounded fields, and commitments that bind what they should."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from governance.ledger.core import canonical
from governance.ledger.core.errors import NotCanonical, TooLarge
from governance.ledger.core.record import (
    MAX_BODY_BYTES,
    MAX_ENTRY_BYTES,
    MAX_FACTS_BYTES,
    Entry,
    body_commitment,
    decode_entry,
    encode_entry,
    facts_commitment,
    genesis_prev,
    leaf_hash,
    node_hash,
)

ENTRY = Entry(
    seq=777,
    event_id="018f5d2c-1a2b-7c3d-8e4f-5a6b7c8d9e0f",
    kind="inference.answered",
    facts_c=b"\x11" * 32,
    body_c=b"\x22" * 32,
    prev=b"\x33" * 32,
    t_us=1_767_225_600_000_000,
)

OUT_OF_RANGE = {
    "a negative number": {"seq": -1},
    "a number of 2**53": {"seq": 2**53},
    "a negative time": {"t_us": -1},
    "a time of 2**53": {"t_us": 2**53},
    "another version": {"v": 2},
    "an upper-case event id": {"event_id": ENTRY.event_id.upper()},
    "a random (version 4) event id": {"event_id": "018f5d2c-1a2b-4c3d-8e4f-5a6b7c8d9e0f"},
    "an event id of another variant": {"event_id": "018f5d2c-1a2b-7c3d-ce4f-5a6b7c8d9e0f"},
    "an event id with a newline": {"event_id": ENTRY.event_id + "\n"},
    "an empty kind": {"kind": ""},
    "a kind of one word": {"kind": "answered"},
    "a kind in capitals": {"kind": "Inference.answered"},
    "a kind with a quote": {"kind": 'a.b","seq":1,"x":"'},
    "a kind with another alphabet": {"kind": "a.\u0431"},
    "a kind with a newline": {"kind": "a.b\n"},
    "a kind of 65 characters": {"kind": "a." + "b" * 63},
    "a short facts commitment": {"facts_c": b"\x11" * 31},
    "a long body commitment": {"body_c": b"\x22" * 33},
    "an empty body commitment": {"body_c": b""},
    "a short link": {"prev": b""},
}

RAW = encode_entry(ENTRY)
NOT_AN_ENTRY = {
    "nothing": b"",
    "an empty object": b"{}",
    "a space": RAW.replace(b'"seq":777', b'"seq": 777'),
    "a trailing newline": RAW + b"\n",
    "a leading zero": RAW.replace(b"777", b"0777"),
    "a sign": RAW.replace(b"777", b"+777"),
    "a float": RAW.replace(b"777", b"777.0"),
    "a number as text": RAW.replace(b"777", b'"777"'),
    "a number of 2**53": RAW.replace(b"777", b"9007199254740992"),
    "another version": RAW.replace(b'"v":1', b'"v":2'),
    "a version of two digits": RAW.replace(b'"v":1', b'"v":10'),
    "upper-case hexadecimal": RAW.replace(b"1111", b"AAAA", 1),
    "a missing field": RAW.replace(b'"seq":777,', b""),
    "another field": RAW.replace(b'"v":1}', b'"v":1,"w":1}'),
    "a doubled field": RAW.replace(b'"v":1}', b'"v":1,"v":1}'),
    "fields out of order": b'{"v":1,' + RAW[1:].replace(b',"v":1', b""),
    "a null facts commitment": RAW.replace(b'"' + b"11" * 32 + b'"', b"null"),
    "an escape": RAW.replace(b"inference", b"\\u0069nference"),
    "a kind of 65 characters": RAW.replace(b"inference.answered", b"a." + b"b" * 63),
    "more than the limit": RAW + b" " * MAX_ENTRY_BYTES,
    "not ASCII": RAW.replace(b"inference", b"inf\xc3\xa9rence"),
}


@pytest.mark.parametrize(
    "entry", [ENTRY, replace(ENTRY, body_c=None), replace(ENTRY, seq=0, t_us=0)]
)
def test_an_entry_has_the_canonical_bytes_of_its_fields(entry: Entry) -> None:
    raw = encode_entry(entry)
    assert raw == canonical.dumps(
        {
            "body_c": None if entry.body_c is None else entry.body_c.hex(),
            "event_id": entry.event_id,
            "facts_c": entry.facts_c.hex(),
            "kind": entry.kind,
            "prev": entry.prev.hex(),
            "seq": entry.seq,
            "t_us": entry.t_us,
            "v": 1,
        }
    )
    assert decode_entry(raw) == entry


@pytest.mark.parametrize("change", OUT_OF_RANGE.values(), ids=OUT_OF_RANGE)
def test_a_field_out_of_range_is_not_written(change: dict[str, object]) -> None:
    with pytest.raises(NotCanonical):
        encode_entry(replace(ENTRY, **change))


@pytest.mark.parametrize("raw", NOT_AN_ENTRY.values(), ids=NOT_AN_ENTRY)
def test_bytes_that_are_not_an_entry_are_not_read(raw: bytes) -> None:
    with pytest.raises(NotCanonical):
        decode_entry(raw)


def test_every_changed_byte_is_refused_or_another_entry() -> None:
    for at in range(len(RAW)):
        for bit in (1, 2, 4, 8, 16, 32, 64, 128):
            mutated = RAW[:at] + bytes((RAW[at] ^ bit,)) + RAW[at + 1 :]
            try:
                entry = decode_entry(mutated)
            except NotCanonical:
                continue
            assert entry != ENTRY
            assert encode_entry(entry) == mutated


def test_the_largest_entry_is_far_below_the_tile_limit() -> None:
    largest = replace(ENTRY, seq=2**53 - 1, t_us=2**53 - 1, kind="a." + "b" * 62)
    assert len(encode_entry(largest)) == 405
    assert len(encode_entry(largest)) < MAX_ENTRY_BYTES


def test_commitments_are_the_published_formulas() -> None:
    salt = bytes(range(32))
    assert (
        facts_commitment(salt=salt, facts=b"{}")
        == sha256(b"oncovigil/facts/v1\n" + salt + b"{}").digest()
    )
    assert (
        body_commitment(salt=salt, body=b"x")
        == sha256(b"oncovigil/body/v1\n" + salt + b"x").digest()
    )
    assert genesis_prev("a/b") == sha256(b"oncovigil/genesis/v1\na/b").digest()
    assert leaf_hash(b"x") == sha256(b"\x00x").digest()
    assert node_hash(b"l" * 32, b"r" * 32) == sha256(b"\x01" + b"l" * 32 + b"r" * 32).digest()


def test_facts_and_body_of_the_same_bytes_have_different_commitments() -> None:
    salt = bytes(32)
    assert facts_commitment(salt=salt, facts=b"{}") != body_commitment(salt=salt, body=b"{}")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_salt_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(NotCanonical, match="salt"):
        facts_commitment(salt=bytes(size), facts=b"{}")
    with pytest.raises(NotCanonical, match="salt"):
        body_commitment(salt=bytes(size), body=b"{}")


def test_content_beyond_its_limit_is_refused_so_that_every_receipt_can_be_built() -> None:
    salt = bytes(32)
    facts_commitment(salt=salt, facts=bytes(MAX_FACTS_BYTES))
    body_commitment(salt=salt, body=bytes(MAX_BODY_BYTES))
    with pytest.raises(TooLarge):
        facts_commitment(salt=salt, facts=bytes(MAX_FACTS_BYTES + 1))
    with pytest.raises(TooLarge):
        body_commitment(salt=salt, body=bytes(MAX_BODY_BYTES + 1))
    assert (MAX_FACTS_BYTES + MAX_BODY_BYTES) * 4 // 3 + 200_000 < canonical.MAX_BYTES
