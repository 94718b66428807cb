"""What of the predecessor's state its successor takes over.

Everything that governs is taken over. Not taken over is what is about entries or keys of the log
before alone, and goes on there: erasures, reviews of the trail, lifted legal holds, and the
signatures of these. A person's key is in one key store, so erasing somebody in one log destroys
what that log holds, and its receipt says what it did; the other log is asked too (P13).

Documents in force are in force from entry 0 on, so that evidence of the new log is compared with a
place in the new log (P4). Evidence and monitor runs keep their numbers, those of the log before.

An open legal hold is taken over, or evidence would be unprotected in the new log. One on a person
gets the key under which the new log will know that person; a first signature for lifting it does
not count there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from change_control.erase.legal_hold import LegalHoldState
from governance.registry.records import (
    Document,
    Erasure,
    LegalHold,
    Record,
    Release,
    Signature,
    TrailReview,
)
from governance.storage.succession.state import State

_LEFT: Final = (Erasure, TrailReview)
_LEFT_SIGNATURES: Final = frozenset({Erasure.TABLE, TrailReview.TABLE, LegalHold.TABLE})


def release_keys(state: State) -> list[str]:
    """Return the names of the keys under which releases go on to answer."""
    return [one.body_key for one in state.records if isinstance(one, Release)]


def held_keys(state: State) -> list[str]:
    """Return the names of the keys of persons whom an open legal hold names."""
    return [
        one.key_id
        for one in state.records
        if isinstance(one, LegalHold) and _is_open(one) and one.key_id is not None
    ]


def taken_over(state: State, new_keys: Mapping[str, str]) -> State:
    """Return the state that the successor begins with; `new_keys` are of the persons held."""
    return replace(state, records=tuple(_taken(state.records, new_keys)))


def _taken(records: Iterable[Record], new_keys: Mapping[str, str]) -> Iterator[Record]:
    for record in records:
        if isinstance(record, _LEFT):
            continue
        if isinstance(record, Signature) and record.record_type in _LEFT_SIGNATURES:
            continue
        if isinstance(record, Document) and record.in_force_seq is not None:
            yield replace(record, in_force_seq=0)
            continue
        if isinstance(record, LegalHold):
            key_id = None if record.key_id is None else new_keys.get(record.key_id)
            if not _is_open(record) or (record.key_id is not None and key_id is None):
                continue
            yield replace(record, key_id=key_id, state=LegalHoldState.OPEN.value, first_signer=None)
            continue
        yield record


def _is_open(hold: LegalHold) -> bool:
    return hold.state != LegalHoldState.LIFTED.value
