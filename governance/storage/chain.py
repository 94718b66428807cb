"""The head of the log, and the entries that one transaction adds to it.

A `Draft` is plain values: where a savepoint is rolled back, the draft is rewound to its mark, and
where the transaction is lost, the draft is thrown away. Only a committed draft reaches the tree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from sqlalchemy import Connection

from governance.ledger.core.after_closing import AFTER_CLOSING
from governance.ledger.core.log_keys import LOG_CLOSED
from governance.ledger.core.merkle import Frontier
from governance.ledger.core.record import (
    encode_fields,
    facts_commitment,
    genesis_prev,
    leaf_hash,
)
from governance.ledger.store.cells import no_text, of_another_type, text_is_none
from governance.ledger.store.tables import BodyRow, EntryRow, LogHeadRow, Row
from governance.storage.bulk import SqlRow, insert_rows
from governance.storage.errors import StoredOtherwise, log_closed
from governance.storage.fencing import FENCING_KINDS
from governance.storage.ports import Recorded
from governance.storage.sealing import Prepared
from governance.storage.statement import run
from governance.storage.trust_moves import TRUST_KINDS, Trust

_HEAD = Row.metadata.tables[LogHeadRow.__tablename__]
_ENTRY = Row.metadata.tables[EntryRow.__tablename__]
_BODY = Row.metadata.tables[BodyRow.__tablename__]

_COLUMNS: Final = (
    "origin", "next_seq", "head_leaf", "frontier", "epoch", "standing_epoch", "last_t_us"
)  # fmt: skip
_TYPES: Final = (str, int, bytes, bytes, int, int, int)
_READ: Final = f"SELECT {', '.join(_COLUMNS)} FROM log_head WHERE id = 1"  # noqa: S608 - our names
_LOCKED: Final = _READ + " FOR UPDATE"
_MOVE: Final = f"UPDATE log_head SET {', '.join(f'{name} = ?' for name in _COLUMNS)} WHERE id = 1"  # noqa: S608
_STORED: Final = "SELECT seq, env, leaf, facts, facts_salt FROM entry WHERE seq >= ? ORDER BY seq"

HeadRow: TypeAlias = tuple[str, int, bytes, bytes, int, int, int]
"""The columns of `log_head` but for its number, as the database holds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The row of `log_head`."""

    origin: str
    next_seq: int
    head_leaf: bytes
    frontier: Frontier
    epoch: int
    standing_epoch: int
    last_t_us: int

    @classmethod
    def empty(cls, origin: str) -> Head:
        """Return the head of a log without entries."""
        return cls(
            origin=origin,
            next_seq=0,
            head_leaf=genesis_prev(origin),
            frontier=Frontier(),
            epoch=0,
            standing_epoch=0,
            last_t_us=0,
        )

    @classmethod
    def of(cls, row: HeadRow) -> Head:
        """Return the head of a row; raise LedgerTampered where its frontier is none."""
        origin, next_seq, head_leaf, frontier, epoch, standing_epoch, last_t_us = row
        return cls(
            origin=origin,
            next_seq=next_seq,
            head_leaf=head_leaf,
            frontier=Frontier.decode(frontier),
            epoch=epoch,
            standing_epoch=standing_epoch,
            last_t_us=last_t_us,
        )

    def row(self) -> HeadRow:
        """Return the columns that a commit writes."""
        return (
            self.origin,
            self.next_seq,
            self.head_leaf,
            self.frontier.encode(),
            self.epoch,
            self.standing_epoch,
            self.last_t_us,
        )


def head_row(connection: Connection, *, lock: bool) -> HeadRow | None:
    """Return the row of the head, None in a database without a log; `lock` holds it on PostgreSQL.

    Raises LedgerTampered where a column holds a value of another type.
    """
    statement = _LOCKED if lock and connection.dialect.name == "postgresql" else _READ
    try:
        row: HeadRow | None = run(connection, statement).fetchone()
    except Exception as error:
        if no_text(error):
            raise text_is_none() from error
        raise
    if row is not None and tuple(map(type, row)) != _TYPES:
        raise of_another_type("a column of log_head")
    return row


def read_head(connection: Connection, *, lock: bool) -> Head | None:
    """Return the head, or None in a database without a log; `lock` as in `head_row`."""
    row = head_row(connection, lock=lock)
    return None if row is None else Head.of(row)


def insert_head(connection: Connection, head: Head) -> None:
    """Store the head of a new log."""
    columns = dict(zip(_COLUMNS, head.row(), strict=True))
    connection.execute(_HEAD.insert(), {"id": 1, **columns})


def take_epoch(connection: Connection, head: Head) -> Head:
    """Take the next fencing epoch, so that a pen that still holds the last one stops."""
    taken = replace(head, epoch=head.epoch + 1)
    run(connection, "UPDATE log_head SET epoch = ? WHERE id = 1", (taken.epoch,))
    return taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A state of a draft to which it can be rewound."""

    entries: int
    bodies: int
    head_leaf: bytes
    epoch: int
    standing_epoch: int
    last_t_us: int
    closed: bool
    trust: Trust | None


class Draft:
    """Entries on top of a head, not yet written."""

    def __init__(self, head: Head, *, trust: Trust | None = None) -> None:
        """Begin; `trust` is what keys and policy are now, None for a log that has none yet."""
        self.base = head
        self.trust = trust
        self.closed = trust is not None and trust.keys.closed_seq is not None
        self.entries: list[SqlRow] = []
        self.bodies: list[SqlRow] = []
        self.leaves: list[bytes] = []
        self.next_seq = head.next_seq
        self.head_leaf = head.head_leaf
        self.epoch = head.epoch
        self.standing_epoch = head.standing_epoch
        self.last_t_us = head.last_t_us
        self._facts_c: list[bytes] = []
        self._written: Head | None = None

    @property
    def first_event_id(self) -> str | None:
        """The event id of the first entry, None without one."""
        return str(self.entries[0][1]) if self.entries else None

    def append(self, prepared: Prepared, *, t_us: int) -> tuple[Recorded, bytes]:
        """Give the entry its place; return where, and the envelope's bytes.

        Raises LogClosed behind the entry that closed the log, but for the duties to persons, and
        TrustMoved where an entry about its keys or its policy does not follow from those before it.
        """
        seq, event_id, body = self.next_seq, prepared.event_id, prepared.body
        if self.closed and prepared.kind not in AFTER_CLOSING:
            raise log_closed()
        if prepared.kind in TRUST_KINDS and self.trust is not None:
            self.trust = self.trust.after(seq, prepared.kind, prepared.facts)
            self.closed = self.closed or prepared.kind == LOG_CLOSED
        env = encode_fields(
            seq=seq,
            event_id=event_id,
            kind=prepared.kind,
            facts_c=prepared.facts_c,
            body_c=None if body is None else body.commitment,
            prev=self.head_leaf,
            t_us=t_us,
        )
        leaf = leaf_hash(env)
        self.entries.append((seq, event_id, env, leaf, prepared.facts, prepared.facts_salt))
        self.leaves.append(leaf)
        self._facts_c.append(prepared.facts_c)
        if body is not None:
            sealed = body.sealed
            self.bodies.append(
                (
                    seq,
                    body.key_id,
                    sealed.nonce,
                    sealed.ciphertext,
                    sealed.key_commitment,
                    body.salt,
                    None,
                )
            )
        self.next_seq = seq + 1
        self.head_leaf = leaf
        self.epoch += prepared.kind in FENCING_KINDS
        self.standing_epoch += prepared.touches_standing
        self.last_t_us = t_us
        return Recorded(seq=seq, event_id=event_id, t_us=t_us), env

    def mark(self) -> Mark:
        """Return the present state."""
        return Mark(
            entries=len(self.entries),
            bodies=len(self.bodies),
            head_leaf=self.head_leaf,
            epoch=self.epoch,
            standing_epoch=self.standing_epoch,
            last_t_us=self.last_t_us,
            closed=self.closed,
            trust=self.trust,
        )

    def rewind(self, mark: Mark) -> None:
        """Forget everything after `mark`."""
        del self.entries[mark.entries :]
        del self.leaves[mark.entries :]
        del self._facts_c[mark.entries :]
        self.next_seq = self.base.next_seq + mark.entries
        self.closed = mark.closed
        self.trust = mark.trust
        del self.bodies[mark.bodies :]
        self.head_leaf = mark.head_leaf
        self.epoch = mark.epoch
        self.standing_epoch = mark.standing_epoch
        self.last_t_us = mark.last_t_us

    def write(self, connection: Connection) -> None:
        """Insert the entries and bodies and move the head, in the caller's transaction."""
        if not self.entries:
            return
        insert_rows(connection, _ENTRY, self.entries)
        insert_rows(connection, _BODY, self.bodies)
        self._written = Head(
            origin=self.base.origin,
            next_seq=self.next_seq,
            head_leaf=self.head_leaf,
            frontier=self.base.frontier.extend(self.leaves),
            epoch=self.epoch,
            standing_epoch=self.standing_epoch,
            last_t_us=self.last_t_us,
        )
        run(connection, _MOVE, self._written.row())

    def head(self) -> Head:
        """Return the head that stands when what was written is committed."""
        return self._written or self.base

    def read_back(self, connection: Connection) -> None:
        """Hash once more what the database returns, before it is committed.

        Raises StoredOtherwise. One bit that flipped between hashing and storing once ended a
        public log (ledger reference, attack 24); here the transaction is rolled back instead.
        """
        if not self.entries:
            return
        stored = run(connection, _STORED, (self.base.next_seq,)).fetchall()
        hashed = [
            (seq, leaf, leaf_hash(env), facts_commitment(salt=salt, facts=facts))
            for seq, env, leaf, facts, salt in stored
        ]
        numbers = range(self.base.next_seq, self.next_seq)
        if hashed != list(zip(numbers, self.leaves, self.leaves, self._facts_c, strict=True)):
            raise StoredOtherwise(
                "the database returns other bytes than were written",
                next_step="Check memory and disk of the machine; nothing was committed.",
            )
