"""Write the state of the predecessor into the successor: entries like any other, and no others.

Each `ledger.state_carried` holds records as they stand, as inserts, so the fold of the successor's
facts is whole without the predecessor; hashes of passwords and secrets are stored beside with their
digests in the facts. Outcomes come as entries of their own kind, because their rows are compared
with the body of one. Old bodies are not carried: they stay, readable, where they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar

from sqlalchemy import Connection

from audits.estimate import Json
from governance.ledger.core import canonical
from governance.registry.records import Record
from governance.storage import private
from governance.storage.ports import Body, Unit
from governance.storage.projection import changes_of
from governance.storage.rebuild_private import CARRIED, CARRIED_CLIENTS, CARRIED_PEOPLE
from governance.storage.succession.state import State, batches_of, read_blob
from governance.storage.unit import OUTCOMES_RECORDED, outcomes_body

T = TypeVar("T")

FACTS_BYTES: Final = 300_000  # below the 524,288 that facts may have
_BLOBS_AT_ONCE: Final = 500
_HASHES_AT_ONCE: Final = 500


def carry(unit: Unit, state: State, connection: Connection, *, origin: str) -> int:
    """Record the whole state; return the number of entries. `connection` reads the predecessor."""
    said = _Carrying(unit, origin)
    for digests in _batched(state.blobs, _BLOBS_AT_ONCE):
        for digest in digests:
            content, media_type = read_blob(connection, digest)
            unit.put_blob(content, media_type=media_type)
        said.entry()
    with_body = [one for entry in state.outcomes for one in batches_of(state, entry)]
    records = [one for one in state.records if one not in with_body]
    for chunk in _chunks(records):
        said.entry(add=chunk)
    for entry in state.outcomes:
        unit.put_outcomes(entry.rows, source=entry.source)
        unit.record(
            kind=OUTCOMES_RECORDED,
            actor="system",
            add=batches_of(state, entry),
            notes={"carried_from": origin, "carried_seq": entry.seq},
            body=Body(content=outcomes_body(entry.rows, source=entry.source), key_id=entry.key_id),
        )
        said.entries += 1
    _carry_hashes(said, state)
    return said.entries


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
            actor="system",
            add=add,
            notes={"carried_from": self._origin, "part": self.entries, **(notes or {})},
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
