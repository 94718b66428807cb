"""Bundles: 256 entries, and beside them their facts and bodies, as files that can be streamed.

    tile/entries/<N>   per entry: length, 2 bytes || entry                  (c2sp.org/tlog-tiles)
    tile/facts/<N>     per entry: facts_salt, 32 bytes || length, 4 bytes || facts
    tile/bodies/<N>    per entry: 0x00                                      it never had a body
                               or 0x01 || salt || length, 4 bytes || body   the plaintext
                               or 0x02 || number, 8 bytes                   erased by that entry

Lengths are big-endian. Entries hold commitments only; facts open them for people who may read, and
bodies are exported by their owner alone and erased with their subjects (P13). The readers take an
open stream, keep one record at a time, and refuse a length before they read that far.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.record import (
    MAX_BODY_BYTES,
    MAX_ENTRY_BYTES,
    MAX_FACTS_BYTES,
    SALT_BYTES,
)
from governance.ledger.core.tiles import TilePath

_ENTRY_LENGTH: Final = 2
_CONTENT_LENGTH: Final = 4
_NUMBER: Final = 8
_NO_BODY: Final = b"\x00"
_BODY: Final = b"\x01"
_ERASED: Final = b"\x02"


class Stream(Protocol):
    """Bytes that are read once, front to back."""

    def read(self, size: int, /) -> bytes:
        """Return `size` bytes, fewer only at the end."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFacts:
    """Facts and the salt of their commitment."""

    salt: bytes
    facts: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedBody:
    """A body in the clear with its salt, or that there is none (any more).

    `erased_by` is the number of the entry that says that the body was erased.
    """

    state: Literal["none", "present", "erased"]
    salt: bytes = b""
    body: bytes = b""
    erased_by: int = 0


def entry_record(entry: bytes) -> bytes:
    """Return one entry as it stands in a bundle."""
    return len(entry).to_bytes(_ENTRY_LENGTH, "big") + entry


def facts_record(facts: ExportedFacts) -> bytes:
    """Return one entry's facts as they stand in a bundle."""
    return facts.salt + _sized(facts.facts)


def body_record(body: ExportedBody) -> bytes:
    """Return one entry's body as it stands in a bundle."""
    match body.state:
        case "none":
            return _NO_BODY
        case "present":
            return _BODY + body.salt + _sized(body.body)
        case "erased":
            return _ERASED + body.erased_by.to_bytes(_NUMBER, "big")


def read_entries(stream: Stream, path: TilePath) -> Iterator[bytes]:
    """Yield the entries of a bundle; raise LedgerTampered at the first that is not whole."""
    for seq in _sequences(path):
        length = int.from_bytes(_exactly(stream, _ENTRY_LENGTH, path, seq), "big")
        yield _exactly(stream, _bounded(length, MAX_ENTRY_BYTES, path, seq), path, seq)
    _ended(stream, path)


def read_facts(stream: Stream, path: TilePath) -> Iterator[ExportedFacts]:
    """Yield the facts of a bundle; raise LedgerTampered at the first that are not whole."""
    for seq in _sequences(path):
        salt = _exactly(stream, SALT_BYTES, path, seq)
        yield ExportedFacts(salt=salt, facts=_content(stream, MAX_FACTS_BYTES, path, seq))
    _ended(stream, path)


def read_bodies(stream: Stream, path: TilePath) -> Iterator[ExportedBody]:
    """Yield the bodies of a bundle; raise LedgerTampered at the first that is not whole."""
    for seq in _sequences(path):
        match _exactly(stream, 1, path, seq):
            case b"\x00":
                yield ExportedBody(state="none")
            case b"\x01":
                salt = _exactly(stream, SALT_BYTES, path, seq)
                body = _content(stream, MAX_BODY_BYTES, path, seq)
                yield ExportedBody(state="present", salt=salt, body=body)
            case b"\x02":
                by = int.from_bytes(_exactly(stream, _NUMBER, path, seq), "big")
                yield ExportedBody(state="erased", erased_by=by)
            case _:
                raise LedgerTampered(f"{path.text()} holds an unknown mark", sequence=seq)
    _ended(stream, path)


def _sized(content: bytes) -> bytes:
    return len(content).to_bytes(_CONTENT_LENGTH, "big") + content


def _sequences(path: TilePath) -> range:
    return range(path.first, path.first + path.width)


def _content(stream: Stream, limit: int, path: TilePath, seq: int) -> bytes:
    length = int.from_bytes(_exactly(stream, _CONTENT_LENGTH, path, seq), "big")
    return _exactly(stream, _bounded(length, limit, path, seq), path, seq)


def _bounded(length: int, limit: int, path: TilePath, seq: int) -> int:
    if length > limit:
        raise LedgerTampered(f"{path.text()} states {length} bytes for one entry", sequence=seq)
    return length


def _exactly(stream: Stream, size: int, path: TilePath, seq: int) -> bytes:
    found = stream.read(size)
    if len(found) != size:
        raise LedgerTampered(f"{path.text()} ends in the middle of it", sequence=seq)
    return found


def _ended(stream: Stream, path: TilePath) -> None:
    if stream.read(1):
        last = path.first + path.width - 1
        raise LedgerTampered(f"{path.text()} goes on behind its last entry", sequence=last)
