"""Bundles are read strictly: whole, in order, within limits, and not a byte more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest

from governance.ledger.core.bundles import (
    ExportedBody,
    ExportedFacts,
    body_record,
    entry_record,
    facts_record,
    read_bodies,
    read_entries,
    read_facts,
)
from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.tiles import TilePath

PATH = TilePath(kind="entries", index=1, width=3)
ENTRIES = [b"one", b"", b"three" * 20]
FACTS = [ExportedFacts(salt=bytes([n]) * 32, facts=b"{}" * n) for n in range(3)]
BODIES = [
    ExportedBody(state="present", salt=b"s" * 32, body=b"hello"),
    ExportedBody(state="none"),
    ExportedBody(state="erased", erased_by=300),
]

Read = Callable[[Any, TilePath], Iterator[Any]]
BUNDLES: dict[str, tuple[Read, list[Any], bytes]] = {
    "entries": (read_entries, ENTRIES, b"".join(map(entry_record, ENTRIES))),
    "facts": (read_facts, FACTS, b"".join(map(facts_record, FACTS))),
    "bodies": (read_bodies, BODIES, b"".join(map(body_record, BODIES))),
}
EVERY = pytest.mark.parametrize(("read", "records", "raw"), BUNDLES.values(), ids=BUNDLES.keys())


def refused(read: Read, raw: bytes, path: TilePath = PATH) -> LedgerTampered:
    with pytest.raises(LedgerTampered) as caught:
        list(read(BytesIO(raw), path))
    return caught.value


def test_the_bytes_of_a_record_are_those_of_the_format() -> None:
    assert entry_record(b"ab") == b"\x00\x02ab"
    assert facts_record(ExportedFacts(salt=b"s" * 32, facts=b"{}")) == b"s" * 32 + b"\0\0\0\2{}"
    assert [body_record(body) for body in BODIES] == [
        b"\x01" + b"s" * 32 + b"\0\0\0\5hello",
        b"\x00",
        b"\x02\0\0\0\0\0\0\1\x2c",
    ]


@EVERY
def test_what_was_written_is_read_back(read: Read, records: list[Any], raw: bytes) -> None:
    assert list(read(BytesIO(raw), PATH)) == records


@EVERY
def test_a_bundle_that_is_cut_anywhere_names_the_entry(
    read: Read, records: list[Any], raw: bytes
) -> None:
    found = [refused(read, raw[:length]).sequence for length in range(len(raw))]
    assert found == sorted(found, key=int)
    assert set(found) == {256, 257, 258}


@EVERY
def test_a_bundle_that_goes_on_names_its_last_entry(
    read: Read, records: list[Any], raw: bytes
) -> None:
    assert refused(read, raw + b"\0").sequence == 258


@EVERY
def test_a_bundle_is_read_one_record_at_a_time(read: Read, records: list[Any], raw: bytes) -> None:
    assert next(read(BytesIO(raw[:-1]), PATH)) == records[0]


@pytest.mark.parametrize(
    ("read", "raw"),
    [
        (read_facts, bytes(32) + (512 * 1024 + 1).to_bytes(4, "big")),
        (read_facts, bytes(32) + b"\xff\xff\xff\xff"),
        (read_bodies, b"\x01" + bytes(32) + (2 * 1024 * 1024 + 1).to_bytes(4, "big")),
        (read_bodies, b"\x01" + bytes(32) + b"\xff\xff\xff\xff"),
    ],
)
def test_a_length_beyond_the_limit_is_refused_before_it_is_read(read: Read, raw: bytes) -> None:
    assert "states" in refused(read, raw).what


@pytest.mark.parametrize("mark", [3, 0x30, 0xFF])
def test_an_unknown_mark_is_refused(mark: int) -> None:
    error = refused(read_bodies, b"\x00" + bytes([mark]) + bytes(40))
    assert (error.sequence, "mark" in error.what) == (257, True)
