r"""The entry: a small envelope in the tree that commits to facts and to a body outside it.

    entry   = {"body_c":H|null,"event_id":"..","facts_c":H,"kind":"..","prev":H,"seq":i,
               "t_us":..,"v":1}                      on one line, keys sorted, no spaces
    facts_c = SHA-256("oncovigil/facts/v1\n" || facts_salt || facts)   kept, no patient data
    body_c  = SHA-256("oncovigil/body/v1\n" || body_salt || body)      erasable, the plaintext
    prev    = leaf_hash of the entry before; of entry 0: SHA-256("oncovigil/genesis/v1\n" || origin)

The chain link is inside the Merkle leaf, so chain and tree can never tell two stories (two
parallel structures could: CVE-2022-36111 of another product). The salts keep an erased body of
few possible values from being guessed from what is left (P13).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final, TypeAlias

from governance.ledger.core.canonical import INT_LIMIT
from governance.ledger.core.encoding import HASH_BYTES
from governance.ledger.core.errors import NotCanonical, TooLarge
from governance.ledger.core.merkle import leaf_hash, node_hash

__all__ = [
    "FACTS_DOMAIN",
    "MAX_BODY_BYTES",
    "MAX_ENTRY_BYTES",
    "MAX_FACTS_BYTES",
    "SALT_BYTES",
    "Entry",
    "body_commitment",
    "decode_entry",
    "encode_entry",
    "encode_fields",
    "facts_commitment",
    "genesis_prev",
    "kind_of",
    "leaf_hash",
    "node_hash",
    "read_kind",
    "spelled_fields",
]

VERSION: Final = 1
SALT_BYTES: Final = 32

# A tile bundle states the length of an entry in two bytes (c2sp.org/tlog-tiles).
MAX_ENTRY_BYTES: Final = 65_535
# Together with base64 and the proof these two fit a receipt (canonical.MAX_BYTES).
MAX_FACTS_BYTES: Final = 512 * 1024
MAX_BODY_BYTES: Final = 2 * 1024 * 1024
MAX_KIND_CHARS: Final = 64

FACTS_DOMAIN: Final = b"oncovigil/facts/v1\n"
_BODY_DOMAIN: Final = b"oncovigil/body/v1\n"
_GENESIS_DOMAIN: Final = b"oncovigil/genesis/v1\n"

_EVENT_ID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_KIND: Final = r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+"
_HASH: Final = r"[0-9a-f]{64}"
_NUMBER: Final = r"0|[1-9][0-9]{0,15}"

_KINDS: Final = re.compile(_KIND, re.ASCII)
_NAMES: Final = re.compile(rf"{_EVENT_ID}\n{_KIND}", re.ASCII)
_ENVELOPE: Final = re.compile(
    rf'{{"body_c":(?:null|"({_HASH})"),"event_id":"({_EVENT_ID})","facts_c":"({_HASH})",'
    rf'"kind":"({_KIND})","prev":"({_HASH})","seq":({_NUMBER}),"t_us":({_NUMBER}),"v":1}}',
    re.ASCII,
)

# Everything before a kind has a fixed length, so a kind begins at one of two places.
BODY_AT: Final = len('{"body_c":')
_BEFORE_KIND: Final = len(',"event_id":"",' + '"facts_c":"","kind":"') + 36 + 2 * HASH_BYTES
KIND_AT: Final = BODY_AT + len("null") + _BEFORE_KIND
KIND_AT_WITH_BODY: Final = BODY_AT + len('""') + 2 * HASH_BYTES + _BEFORE_KIND

SpelledFields: TypeAlias = "tuple[str | None, str, str, str, str, int, int]"
"""`body_c`, `event_id`, `facts_c`, `kind`, `prev`, `seq`, `t_us`; hashes are hexadecimal."""

_NEXT: Final = "Compare the entry with the format in docs/reference/ledger-format.md."


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the log. Hashes are 32 raw bytes; `t_us` is UTC microseconds, monotone."""

    seq: int
    event_id: str
    kind: str
    facts_c: bytes
    body_c: bytes | None
    prev: bytes
    t_us: int
    v: int = VERSION


def encode_entry(entry: Entry) -> bytes:
    """Return the canonical ASCII bytes of `entry`; raise NotCanonical for a field out of range."""
    if entry.v != VERSION:
        raise NotCanonical(f"entry {entry.seq} has another version", next_step=_NEXT)
    return encode_fields(
        seq=entry.seq,
        event_id=entry.event_id,
        kind=entry.kind,
        facts_c=entry.facts_c,
        body_c=entry.body_c,
        prev=entry.prev,
        t_us=entry.t_us,
    )


def encode_fields(
    *,
    seq: int,
    event_id: str,
    kind: str,
    facts_c: bytes,
    body_c: bytes | None,
    prev: bytes,
    t_us: int,
) -> bytes:
    """Return what `encode_entry` returns, for a writer who has the fields and makes no `Entry`.

    Built by hand: the field order is fixed and no admitted character needs an escape, so this
    equals `canonical.dumps` (a test holds them together) at a fifth of its cost.
    """
    if (
        _NAMES.fullmatch(f"{event_id}\n{kind}") is None
        or len(kind) > MAX_KIND_CHARS
        or len(facts_c) != HASH_BYTES
        or len(prev) != HASH_BYTES
        or (body_c is not None and len(body_c) != HASH_BYTES)
        or not 0 <= seq < INT_LIMIT
        or not 0 <= t_us < INT_LIMIT
    ):
        raise NotCanonical(f"entry {seq} has a field outside its range", next_step=_NEXT)
    body_text = "null" if body_c is None else f'"{body_c.hex()}"'
    return (
        f'{{"body_c":{body_text},"event_id":"{event_id}","facts_c":"{facts_c.hex()}",'
        f'"kind":"{kind}","prev":"{prev.hex()}","seq":{seq},"t_us":{t_us},"v":1}}'
    ).encode("ascii")


def decode_entry(raw: bytes) -> Entry:
    """Return the entry whose bytes are exactly `raw`; raise NotCanonical otherwise."""
    body_c, event_id, facts_c, kind, prev, seq, t_us = spelled_fields(raw)
    return Entry(
        seq=seq,
        event_id=event_id,
        kind=kind,
        facts_c=bytes.fromhex(facts_c),
        body_c=None if body_c is None else bytes.fromhex(body_c),
        prev=bytes.fromhex(prev),
        t_us=t_us,
    )


def spelled_fields(raw: bytes) -> SpelledFields:
    """Return the fields of the entry whose bytes are exactly `raw`, hashes as they are spelled.

    Raises NotCanonical for every other sequence of bytes. The layout is fixed and each field has
    one spelling in it, so what the pattern and the ranges admit is what `encode_entry` writes.
    """
    # The bound comes before any work on bytes that nobody has vouched for.
    match = _ENVELOPE.fullmatch(raw.decode("latin-1")) if len(raw) <= MAX_ENTRY_BYTES else None
    if match is None:
        raise NotCanonical("the envelope does not have the form of version 1", next_step=_NEXT)
    body_c, event_id, facts_c, kind, prev, number, time = match.groups()
    seq, t_us = int(number), int(time)
    if len(kind) > MAX_KIND_CHARS or seq >= INT_LIMIT or t_us >= INT_LIMIT:
        raise NotCanonical(f"entry {seq} has a field outside its range", next_step=_NEXT)
    return body_c, event_id, facts_c, kind, prev, seq, t_us


@lru_cache(maxsize=1024)
def read_kind(raw: bytes) -> str:
    """Return the kind that is spelled so; raise NotCanonical where no entry may have it."""
    kind = raw.decode("latin-1")
    if len(kind) > MAX_KIND_CHARS or _KINDS.fullmatch(kind) is None:
        raise NotCanonical("a kind does not have the form of version 1", next_step=_NEXT)
    return kind


def kind_of(env: bytes) -> str:
    """Return the kind of an envelope of which the rest may have any form; raise NotCanonical.

    For whoever reads a whole log for something else and leaves envelopes to a verification.
    """
    at = KIND_AT if env[BODY_AT : BODY_AT + 1] == b"n" else KIND_AT_WITH_BODY
    return read_kind(env[at : env.find(b'"', at)])


def genesis_prev(origin: str) -> bytes:
    """Return what entry 0 names as its predecessor: it binds the whole chain to its origin."""
    return sha256(_GENESIS_DOMAIN + origin.encode("utf-8")).digest()


def facts_commitment(*, salt: bytes, facts: bytes) -> bytes:
    """Return the commitment to permanent facts (canonical JSON bytes) under a 32-byte salt."""
    return _commitment(FACTS_DOMAIN, salt, facts, MAX_FACTS_BYTES)


def body_commitment(*, salt: bytes, body: bytes) -> bytes:
    """Return the commitment to the plaintext of an erasable body under a 32-byte salt."""
    return _commitment(_BODY_DOMAIN, salt, body, MAX_BODY_BYTES)


def _commitment(domain: bytes, salt: bytes, content: bytes, limit: int) -> bytes:
    if len(salt) != SALT_BYTES:
        raise NotCanonical(f"a salt has {SALT_BYTES} bytes, not {len(salt)}", next_step=_NEXT)
    if len(content) > limit:
        raise TooLarge(
            f"the content has {len(content)} bytes, the limit is {limit}",
            next_step="Store the content as an artifact and put its digest in the entry.",
        )
    return sha256(domain + salt + content).digest()
