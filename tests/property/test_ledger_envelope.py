"""The envelope's one reader against a slow one that parses JSON and writes the entry again."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from governance.ledger.core import canonical
from governance.ledger.core.errors import NotCanonical
from governance.ledger.core.record import Entry, decode_entry, encode_entry
from tests.unit.ledger.sample import event_id

HASH = re.compile(r"[0-9a-f]{64}")
LIMIT = 2**53

hashes = st.binary(min_size=32, max_size=32)
numbers = st.one_of(
    st.integers(0, 20), st.integers(LIMIT - 3, LIMIT - 1), st.integers(0, LIMIT - 1)
)
kinds = st.from_regex(r"[a-z][a-z0-9_]{0,5}(\.[a-z][a-z0-9_]{0,9}){1,3}", fullmatch=True)
entries = st.builds(
    Entry,
    seq=numbers,
    event_id=st.integers(0, 10_000).map(event_id),
    kind=kinds,
    facts_c=hashes,
    body_c=st.none() | hashes,
    prev=hashes,
    t_us=numbers,
)
_PIECES = (b"0", b"9", b" ", b'"', b"a", b"F", b".", b"-", b"\n", b"null", b"1e3", b"\xff", b",")


def slow(raw: bytes) -> Entry | None:
    """Return the entry as a reader of JSON finds it, None for bytes that nobody writes."""
    try:
        found: Any = canonical.loads(raw)
        entry = Entry(
            seq=found["seq"],
            event_id=found["event_id"],
            kind=found["kind"],
            facts_c=_hash(found["facts_c"]),
            body_c=None if found["body_c"] is None else _hash(found["body_c"]),
            prev=_hash(found["prev"]),
            t_us=found["t_us"],
            v=found["v"],
        )
        return entry if encode_entry(entry) == raw else None
    except (NotCanonical, LookupError, TypeError, ValueError, AttributeError):
        return None


def _hash(text: str) -> bytes:
    if HASH.fullmatch(text) is None:
        raise ValueError(text)
    return bytes.fromhex(text)


def quick(raw: bytes) -> Entry | None:
    try:
        return decode_entry(raw)
    except NotCanonical:
        return None


@given(entries)
def test_what_is_written_is_read_by_both(entry: Entry) -> None:
    raw = encode_entry(entry)
    assert quick(raw) == slow(raw) == entry


@given(entries, st.data())
def test_what_is_changed_anywhere_is_the_same_to_both(entry: Entry, data: st.DataObject) -> None:
    raw = encode_entry(entry)
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 3)))
    changed = raw[:start] + data.draw(st.sampled_from(_PIECES) | st.binary(max_size=2)) + raw[end:]
    assert quick(changed) == slow(changed)


@given(entries, st.sampled_from(("seq", "t_us")), st.integers(LIMIT - 2, 10**17))
def test_numbers_about_the_limit_are_the_same_to_both(entry: Entry, name: str, value: int) -> None:
    raw = re.sub(rb'"%b":[0-9]+' % name.encode(), b'"%b":%d' % (name.encode(), value),
                 encode_entry(entry))  # fmt: skip
    assert quick(raw) == slow(raw)
    assert (quick(raw) is None) == (value >= LIMIT)


@given(entries, st.integers(55, 75))
def test_kinds_about_the_limit_are_the_same_to_both(entry: Entry, length: int) -> None:
    kind = "a." + "b" * (length - 2)
    raw = re.sub(rb'"kind":"[^"]*"', b'"kind":"%b"' % kind.encode(), encode_entry(entry))
    assert quick(raw) == slow(raw)
    assert (quick(raw) is None) == (length > 64)
