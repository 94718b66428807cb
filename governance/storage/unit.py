"""One act in the making: reads, changes and entries of one savepoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, Integer, cast, func, select
from sqlalchemy.exc import DataError, IntegrityError

from governance.errors import InvalidInput
from governance.ledger.core import canonical
from governance.ledger.core.canonical import Json
from governance.ledger.store.keys import KeyStore
from governance.ledger.store.tables import BlobRow, Row
from governance.registry.records import Record
from governance.storage.bulk import SqlRow, insert_rows
from governance.storage.chain import Draft
from governance.storage.ports import Body, OutcomeRow, Recorded
from governance.storage.private_tables import OutcomeTableRow
from governance.storage.projection import (
    Insert,
    Update,
    apply_changes,
    changes_digest,
    changes_of,
    moved,
    touches_standing,
    values_of,
)
from governance.storage.reader import SqlReader
from governance.storage.sealing import Sealer
from governance.storage.tables import table_of

OUTCOMES_RECORDED: Final = "outcome.recorded"

# What the pen itself writes into an act's facts; notes may not be mistaken for it.
RESERVED: Final = frozenset({"actor", "changes", "digest", "blobs", "body_key"})

_NOTHING_CHANGED: Final = changes_digest([])

_BLOB = Row.metadata.tables[BlobRow.__tablename__]
_OUTCOME = Row.metadata.tables[OutcomeTableRow.__tablename__]


class SqlUnit(SqlReader):
    """See `ports.Unit`."""

    def __init__(
        self,
        connection: Connection,
        *,
        draft: Draft,
        sealer: Sealer,
        keys: KeyStore,
        now_us: int,
    ) -> None:
        super().__init__(connection)
        self._draft = draft
        self._sealer = sealer
        self._keys = keys
        self._now_us = now_us
        self._new_blobs: dict[str, tuple[str, int]] = {}
        self._waiting_outcomes: tuple[list[OutcomeRow], str] | None = None
        self._given_ids: dict[tuple[str, str], int] = {}
        self._whole = True

    @property
    def now_us(self) -> int:
        """The one instant of this unit, never before the ledger's last entry."""
        return self._now_us

    @property
    def next_seq(self) -> int:
        """The ledger position that the next `record` of this unit takes."""
        return self._draft.next_seq

    def next_id(self, kind: type[Record], *, prefix: str) -> str:
        """Return the next free id of the kind, e.g. "R-7"; ids are never used again.

        Rows are never deleted, so the largest number so far is also the largest that ever was.
        """
        column = table_of(kind).c.id
        start = f"{prefix}-"
        number = cast(func.substr(column, len(start) + 1), Integer)
        # Only ids that are the prefix and a number: "R-7" but not "R-old".
        numbered = func.substr(column, 1, len(start)) == start
        longer = func.length(column) > len(start)
        digits = func.length(func.trim(func.substr(column, len(start) + 1), "0123456789")) == 0
        query = select(func.max(number)).where(numbered, longer, digits)
        largest = self.connection.execute(query).scalar() or 0
        given = max(largest, self._given_ids.get((kind.TABLE, prefix), 0)) + 1
        self._given_ids[kind.TABLE, prefix] = given
        return f"{start}{given}"

    def put_blob(self, content: bytes, *, media_type: str) -> str:
        """Store content by its SHA-256 and return that; storing it again changes nothing.

        The unit's next entry names it in its facts, so a lost or exchanged blob is found.
        """
        digest = sha256(content).hexdigest()
        known = select(_BLOB.c.digest).where(_BLOB.c.digest == digest)
        if self.connection.execute(known).first() is None:
            self.connection.execute(
                _BLOB.insert(), {"digest": digest, "media_type": media_type, "content": content}
            )
            self._new_blobs[digest] = (media_type, len(content))
        return digest

    def new_key(self) -> str:
        """Make a data key in the key store, durably, and return its random key id."""
        return self._keys.new_key()

    def writes_under(self, key_id: str) -> bool:
        """Whether this batch, not yet written, holds a body under the key."""
        return any(body[1] == key_id for body in self._draft.bodies)

    def put_outcomes(self, rows: Sequence[OutcomeRow], *, source: str) -> None:
        """Store outcome rows beside the next entry of kind `outcome.recorded`.

        The body of that entry is `outcomes_body(rows, source=source)`.
        """
        if self._waiting_outcomes is not None:
            raise RuntimeError("outcomes wait for their entry already")
        self._waiting_outcomes = list(rows), source

    def record(
        self,
        *,
        kind: str,
        actor: str,
        add: Sequence[Record] = (),
        replace: Sequence[tuple[Record, Record]] = (),
        notes: Mapping[str, Json] | None = None,
        body: Body | None = None,
    ) -> Recorded:
        """Append one entry and apply its changes to the governed tables; see `ports.Unit`."""
        notes = notes or {}
        if RESERVED & notes.keys():
            raise RuntimeError(f"notes may not be called {sorted(RESERVED & notes.keys())}")
        for old, _ in replace:
            if self.get(type(old), old.id) != old:
                raise moved(old.TABLE, old.id, "is no longer as it was read")
        changes = changes_of(add, replace)
        _refuse_nul([*add, *(after for _, after in replace)])
        facts: dict[str, Json] = {
            **notes,
            "actor": actor,
            "changes": changes,
            "digest": changes_digest(changes) if changes else _NOTHING_CHANGED,
        }
        if self._new_blobs:
            facts["blobs"] = [[key, *stored] for key, stored in self._new_blobs.items()]
            self._new_blobs = {}
        prepared = self._sealer.prepare(
            kind=kind,
            facts=facts,
            body=body,
            now_us=self._now_us,
            touches_standing=bool(changes) and touches_standing(changes),
        )
        self._whole = False
        recorded, _ = self._draft.append(prepared, t_us=self._now_us)
        if changes:
            apply_changes(changes, SqlTarget(self.connection), seq=recorded.seq)
        if kind == OUTCOMES_RECORDED:
            self._attach_outcomes(recorded.seq, body)
        self._whole = True
        return recorded

    def finish(self) -> None:
        """Refuse an act that would leave rows without their entry, or an entry without its rows."""
        if not self._whole:
            raise RuntimeError("an act went on after one of its entries was refused")
        if self._new_blobs:
            raise RuntimeError("a blob was stored after the last entry of the act")
        if self._waiting_outcomes:
            raise RuntimeError(f"outcome rows were stored without an entry {OUTCOMES_RECORDED}")

    def _attach_outcomes(self, seq: int, body: Body | None) -> None:
        (rows, source), self._waiting_outcomes = self._waiting_outcomes or ([], ""), None
        if body is None or body.content != outcomes_body(rows, source=source):
            raise RuntimeError("the body of recorded outcomes is outcomes_body(rows, source)")
        values = [outcome_values(row, seq, pos) for pos, row in enumerate(rows)]
        try:
            insert_rows(self.connection, _OUTCOME, values)
        except (DataError, IntegrityError) as error:
            raise moved("outcome", f"rows of entry {seq}", "break a rule of their table") from error


def _refuse_nul(records: Sequence[Record]) -> None:
    """Refuse what PostgreSQL cannot store, on every database, before anything is written."""
    for record in records:
        for name, value in values_of(record).items():
            if isinstance(value, str) and "\x00" in value:
                raise InvalidInput(
                    f"{record.TABLE}.{name} holds a NUL character",
                    next_step="Send text without NUL characters.",
                )


class SqlTarget:
    """The database as the target of changes (`projection.Target`)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def insert(self, change: Insert) -> None:
        """Insert the row; raise Conflict where the key exists."""
        table = Row.metadata.tables[change.table]
        place = {"created_seq": change.seq, "created_pos": change.pos}
        try:
            self._connection.execute(table.insert(), {**change.row, **place})
        except IntegrityError as error:
            raise moved(
                change.table, change.key, "exists, or breaks a rule of its table"
            ) from error

    def update(self, change: Update) -> None:
        """Update the row where it still has the old values; raise Conflict where not."""
        if not change.new:
            return
        table = Row.metadata.tables[change.table]
        query = table.update().where(
            table.c.id == change.key,
            *(table.c[name].is_not_distinct_from(value) for name, value in change.old.items()),
        )
        try:
            found = self._connection.execute(query, dict(change.new)).rowcount
        except IntegrityError as error:
            raise moved(change.table, change.key, "breaks a rule of its table") from error
        if found != 1:
            raise moved(change.table, change.key, "is no longer as it was read")


def outcomes_body(rows: Sequence[OutcomeRow], *, source: str) -> bytes:
    """Return the canonical body of an entry that records outcomes; rebuild compares with it.

    `source` says in words where they come from; words are erasable, so no record has them (P13).
    """
    return canonical.dumps(
        {
            "outcomes": [
                [row.batch, row.model, row.series, row.month, row.value, row.known_us]
                for row in rows
            ],
            "source": source,
            "v": 1,
        }
    )


def outcome_values(row: OutcomeRow, seq: int, position: int) -> SqlRow:
    """Return one outcome in the order of its table's columns."""
    return (
        seq,
        position,
        row.batch,
        row.model,
        row.series,
        row.month,
        row.value,
        row.known_us,
    )
