"""Rows that are byte for byte what an honest writer stores, accepted in one quick look.

From the row before, the facts and the columns follows nearly all of an envelope. It is written here
once more and compared, so a row is accepted for being right in every byte, and for nothing else.
Where anything differs, or is only unusual, nothing is said: `verify` then looks at each row, and
its steps alone decide and name the fault. So a check that was forgotten there could not be made
here, and a check that was forgotten here is found by the tests that change every byte of a log and
compare this with those steps (tests/unit/ledger/test_written.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from governance.ledger.core import canonical
from governance.ledger.core.canonical import INT_LIMIT
from governance.ledger.core.errors import NotCanonical
from governance.ledger.core.record import (
    BODY_AT,
    FACTS_DOMAIN,
    KIND_AT,
    KIND_AT_WITH_BODY,
    MAX_FACTS_BYTES,
    SALT_BYTES,
    read_kind,
)

# A time since 2001 has 16 digits; what follows it ends every envelope.
_TIME: Final = slice(-len('1234567890123456,"v":1}'), -len(',"v":1}'))
_BODY: Final = slice(BODY_AT, BODY_AT + 66)
_NULL: Final = ord("n")

# What a hexadecimal digit becomes, and what stands for itself; everything else becomes "?".
_DIGIT: Final = ord("h")
_SHAPE: Final = bytes(
    _DIGIT if code in b"0123456789abcdef" else code if code in b'-"' else ord("?")
    for code in range(256)
)
_ID_SHAPE: Final = b"hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh"
_BODY_SHAPE: Final = b'"' + b"h" * 64 + b'"'
_ID_CHARS: Final = len(_ID_SHAPE)
_VERSION_AT: Final = 14
_VARIANT_AT: Final = 19


@dataclass(frozen=True, slots=True)
class Written:
    """What the rows lead to, and which kinds they have among them.

    `bodies` are the commitments of those that have one, by position.
    """

    prev: str
    last_t_us: int
    bodies: dict[int, str]
    kinds: set[str]


def as_written(
    rows: Sequence[Sequence[Any]], *, seq: int, prev: str, last_t_us: int
) -> Written | None:
    """Return what the rows lead to where steps (1) to (6) of `verify` hold for each; else None.

    A row is number, event id, envelope, leaf, facts and their salt. `seq`, `prev` and `last_t_us`
    are what the first has to go on from. None says nothing: look at each row.
    """
    try:
        return _read(rows, seq, prev, last_t_us)
    except (NotCanonical, TypeError, ValueError, LookupError, AttributeError):
        return None  # a cell of any type and of any content comes here


def _read(rows: Sequence[Sequence[Any]], seq: int, prev: str, last_t_us: int) -> Written | None:
    hashed, kind_of, parsed = sha256, read_kind, canonical.loads
    first, ids, bodies, kinds = seq, [], {}, set()
    for number, event_id, env, leaf, facts, salt in rows:
        if env[BODY_AT] == _NULL:
            body, at = "null", KIND_AT
        else:
            body, at = env[_BODY].decode("ascii"), KIND_AT_WITH_BODY
            bodies[seq - first] = body
        facts_c = hashed(FACTS_DOMAIN + salt + facts).hexdigest()
        kind, t_us = kind_of(env[at : env.find(b'"', at)]), int(env[_TIME])
        # As `record.encode_entry` spells it, of which a call would cost an entry a tenth more.
        written = (
            f'{{"body_c":{body},"event_id":"{event_id}","facts_c":"{facts_c}","kind":"{kind}",'
            f'"prev":"{prev}","seq":{seq},"t_us":{t_us},"v":1}}'
        )
        if (
            env != written.encode("ascii")
            or hashed(b"\x00" + env).digest() != leaf
            or number != seq
            or t_us < last_t_us
            or len(salt) != SALT_BYTES
            or len(facts) > MAX_FACTS_BYTES
        ):
            return None
        parsed(facts)
        ids.append(event_id)
        kinds.add(kind)
        prev, last_t_us, seq = leaf.hex(), t_us, seq + 1
    if last_t_us >= INT_LIMIT or seq > INT_LIMIT or not _are_ids(ids) or not _are_hashes(bodies):
        return None
    return Written(prev, last_t_us, {at: body[1:-1] for at, body in bodies.items()}, kinds)


def _are_ids(ids: list[str]) -> bool:
    """Tell whether each is a UUIDv7 in lower case: all of them at once, because each is short."""
    together = "".join(ids).encode("ascii")
    return (
        set(map(len, ids)) == {_ID_CHARS}
        and together.translate(_SHAPE) == _ID_SHAPE * len(ids)
        and together[_VERSION_AT::_ID_CHARS] == b"7" * len(ids)
        and not together[_VARIANT_AT::_ID_CHARS].strip(b"89ab")
    )


def _are_hashes(bodies: dict[int, str]) -> bool:
    together = "".join(bodies.values()).encode("ascii")
    return together.translate(_SHAPE) == _BODY_SHAPE * len(bodies)
