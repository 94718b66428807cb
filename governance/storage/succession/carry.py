"""Write the state of the predecessor into the successor: entries like any other, and no others.

Each `ledger.state_carried` holds records as they stand, as inserts, so the fold of the successor's
facts is whole without the predecessor; hashes of passwords and secrets are stored beside with their
digests in the facts. Outcomes come as entries of their own kind, because their rows are compared
with the body of one, which is under a new key. Old bodies are not carried: they stay, readable,
where they were. `carried_digest` says before what will be said here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final, TypeVar

from sqlalchemy import Connection

from audits.estimate import Json
from governance.ledger.core import canonical
from governance.registry.machines import CARRIER
from governance.registry.records import OutcomeBatch, Record
from governance.storage import private
from governance.storage.carried import CARRIED_FROM, OUTCOMES_DIGEST, CarriedDigest
from governance.storage.ports import Body, Unit
from governance.storage.projection import changes_of
from governance.storage.rebuild_private import CARRIED, CARRIED_CLIENTS, CARRIED_PEOPLE
from governance.storage.succession.state import State, batches_of, read_blob
from governance.storage.unit import OUTCOMES_RECORDED

T = TypeVar("T")

FACTS_BYTES: Final = 300_000  # below the 524,288 that facts may have
_BLOBS_AT_ONCE: Final = 500
_HASHES_AT_ONCE: Final = 500


def carry(unit: Unit, state: State, connection: Connection, *, origin: str) -> int:
    """Record the whole state; return the number of entries. `connection` reads the predecessor."""
    said = _Carrying(unit, origin)
    for blobs in _batched(state.blobs, _BLOBS_AT_ONCE):
        for digest, _media_type, _size in blobs:
            content, media_type = read_blob(connection, digest)
            unit.put_blob(content, media_type=media_type)
        said.entry()
    for chunk in _chunks(_without_body(state)):
        said.entry(add=chunk)
    for entry, batches in zip(state.outcomes, batches_of(state), strict=True):
        unit.put_outcomes(entry.rows, source=entry.source)
        unit.record(
            kind=OUTCOMES_RECORDED,
            actor=CARRIER,
            add=batches,
            notes={
                CARRIED_FROM: origin,
                "carried_seq": entry.seq,
                OUTCOMES_DIGEST: sha256(entry.body()).hexdigest(),
            },
            body=Body(content=entry.body(), key_id=unit.new_key()),
        )
        said.entries += 1
    _carry_hashes(said, state)
    return said.entries


def carried_digest(state: State) -> str:
    """Return the digest of what `carry` will record; two people sign it before."""
    digest = CarriedDigest()
    digest.add({"blobs": [list(blob) for blob in state.blobs]})
    digest.add({"changes": changes_of(_without_body(state), ())})
    for entry, batches in zip(state.outcomes, batches_of(state), strict=True):
        told = sha256(entry.body()).hexdigest()
        digest.add({"changes": changes_of(batches, ()), OUTCOMES_DIGEST: told})
    people: list[Json] = [
        private.said_of_credential(person, one.password_hash, must_change=one.must_change)
        for person, one in state.credentials.items()
    ]
    clients: list[Json] = [
        private.said_of_secret(client, hashed) for client, (hashed, _epoch) in state.secrets.items()
    ]
    digest.add({CARRIED_PEOPLE: people, CARRIED_CLIENTS: clients})
    return digest.hex()


def _without_body(state: State) -> list[Record]:
    with_body = {one.id for batches in batches_of(state) for one in batches}
    return [
        one for one in state.records if not (isinstance(one, OutcomeBatch) and one.id in with_body)
    ]


def _carry_hashes(said: _Carrying, state: State) -> None:
    for people in _batched(state.credentials.items(), _HASHES_AT_ONCE):
        said.entry(
            notes={
                CARRIED_PEOPLE: [
                    private.put_credential(
                        said.unit, person, one.password_hash, must_change=one.must_change
                    )
                    for person, one in people
                ]
            }
        )
    for clients in _batched(state.secrets.items(), _HASHES_AT_ONCE):
        said.entry(
            notes={
                CARRIED_CLIENTS: [
                    private.put_client_secret(said.unit, client, hashed, epoch)
                    for client, (hashed, epoch) in clients
                ]
            }
        )


class _Carrying:
    def __init__(self, unit: Unit, origin: str) -> None:
        self.unit = unit
        self.entries = 0
        self._origin = origin

    def entry(self, *, add: Sequence[Record] = (), notes: dict[str, Json] | None = None) -> None:
        self.unit.record(
            kind=CARRIED,
            actor=CARRIER,
            add=add,
            notes={CARRIED_FROM: self._origin, "part": self.entries, **(notes or {})},
        )
        self.entries += 1


def _batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    listed = list(items)
    for start in range(0, len(listed), size):
        yield listed[start : start + size]


def _chunks(records: Iterable[Record]) -> Iterator[list[Record]]:
    chunk: list[Record] = []
    size = 0
    for record in records:
        more = len(canonical.dumps(changes_of([record], ())))
        if chunk and size + more > FACTS_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(record)
        size += more
    if chunk:
        yield chunk
