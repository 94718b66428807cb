"""One entry as it is stored, with the columns of its body beside it, and as people read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, literal, select

from governance.ledger.core import canonical
from governance.ledger.core.canonical import Json
from governance.ledger.core.errors import LedgerTampered, NotCanonical
from governance.ledger.core.record import decode_entry
from governance.ledger.core.verify import StoredEntry
from governance.ledger.store.cells import Columns, check_row
from governance.ledger.store.tables import BodyRow, EntryRow, Row

_ENTRY = Row.metadata.tables[EntryRow.__tablename__]
_BODY = Row.metadata.tables[BodyRow.__tablename__]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """An entry as people read it. `body_key` is None for an entry without a body."""

    stored: StoredEntry
    kind: str
    t_us: int
    facts: Json
    body_key: str | None
    erased_by_seq: int | None

    @property
    def seq(self) -> int:
        """The entry's number."""
        return self.stored.seq

    @property
    def event_id(self) -> str:
        """The entry's identifier."""
        return self.stored.event_id


def entry_rows() -> Select[Any]:
    """Select entries with all that is stored of their bodies."""
    return select(
        _ENTRY,
        _BODY.c.key_id,
        _BODY.c.nonce,
        _BODY.c.ciphertext,
        _BODY.c.key_commitment,
        _BODY.c.salt,
        _BODY.c.erased_by_seq,
    ).select_from(_ENTRY.outerjoin(_BODY, _BODY.c.seq == _ENTRY.c.seq))


def entry_rows_without_bodies() -> Select[Any]:
    """Select entries with the names of their bodies' keys, and leave ciphertexts where they are."""
    return select(
        _ENTRY,
        _BODY.c.key_id,
        _BODY.c.erased_by_seq,
        literal(None).label("ciphertext"),
        literal(None).label("salt"),
    ).select_from(_ENTRY.outerjoin(_BODY, _BODY.c.seq == _ENTRY.c.seq))


def one(connection: Connection, query: Select[Any]) -> RowMapping | None:
    """Return the first row, each cell of which is of its column's type; None without a row."""
    row = connection.execute(query).mappings().first()
    if row is not None:
        check_row(row)
    return row


def stored_entry(row: Columns) -> StoredEntry:
    """Return what a verification takes of a row."""
    return StoredEntry(
        seq=row["seq"],
        event_id=row["event_id"],
        env=row["env"],
        leaf=row["leaf"],
        facts=row["facts"],
        facts_salt=row["facts_salt"],
        body_salt=row["salt"],
        has_body=row["ciphertext"] is not None,
        body_erased=row["erased_by_seq"] is not None,
    )


def stored_facts(raw: bytes, seq: int) -> Json:
    """Return the facts of entry `seq`; raise LedgerTampered where they are not canonical."""
    try:
        return canonical.loads(raw)
    except NotCanonical as error:
        raise LedgerTampered("its facts are not canonical JSON", sequence=seq) from error


def readable(row: Columns) -> LedgerEntry:
    """Return the entry for people; raise LedgerTampered where it is none."""
    check_row(row)
    try:
        entry = decode_entry(row["env"])
    except NotCanonical as error:
        raise LedgerTampered("its envelope is not an entry", sequence=row["seq"]) from error
    return LedgerEntry(
        stored=stored_entry(row),
        kind=entry.kind,
        t_us=entry.t_us,
        facts=stored_facts(row["facts"], row["seq"]),
        body_key=row["key_id"],
        erased_by_seq=row["erased_by_seq"],
    )
