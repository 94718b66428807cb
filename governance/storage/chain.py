"""The head of the log, and the entries that one transaction adds to it.

A `Draft` is plain values: where a savepoint is rolled back, the draft is rewound to its mark, and
where the transaction is lost, the draft is thrown away. Only a committed draft reaches the tree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from sqlalchemy import Connection, select, update

from governance.ledger.core.merkle import Frontier
from governance.ledger.core.record import Entry, encode_entry, genesis_prev, leaf_hash
from governance.ledger.store.tables import BodyRow, EntryRow, LogHeadRow, Row
from governance.storage.ports import Recorded
from governance.storage.sealing import Prepared

SqlValue: TypeAlias = str | bytes | int | bool | None
SqlRow: TypeAlias = dict[str, SqlValue]

_HEAD = Row.metadata.tables[LogHeadRow.__tablename__]
_ENTRY = Row.metadata.tables[EntryRow.__tablename__]
_BODY = Row.metadata.tables[BodyRow.__tablename__]


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

    def row(self) -> SqlRow:
        """Return the columns that a commit writes."""
        return {
            "origin": self.origin,
            "next_seq": self.next_seq,
            "head_leaf": self.head_leaf,
            "frontier": self.frontier.encode(),
            "epoch": self.epoch,
            "standing_epoch": self.standing_epoch,
            "last_t_us": self.last_t_us,
        }


def read_head(connection: Connection, *, lock: bool) -> Head | None:
    """Return the head, or None in a database without a log; `lock` holds it on PostgreSQL."""
    query = select(_HEAD).where(_HEAD.c.id == 1)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        return None
    return Head(
        origin=row["origin"],
        next_seq=row["next_seq"],
        head_leaf=row["head_leaf"],
        frontier=Frontier.decode(row["frontier"]),
        epoch=row["epoch"],
        standing_epoch=row["standing_epoch"],
        last_t_us=row["last_t_us"],
    )


def insert_head(connection: Connection, head: Head) -> None:
    """Store the head of a new log."""
    connection.execute(_HEAD.insert(), {"id": 1, **head.row()})


def take_epoch(connection: Connection, head: Head) -> Head:
    """Take the next fencing epoch, so that a pen that still holds the last one stops."""
    taken = replace(head, epoch=head.epoch + 1)
    connection.execute(update(_HEAD).where(_HEAD.c.id == 1), {"epoch": taken.epoch})
    return taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A state of a draft to which it can be rewound."""

    head: Head
    entries: int
    bodies: int


class Draft:
    """Entries on top of a head, not yet written."""

    def __init__(self, head: Head) -> None:
        self.base = head
        self.head = head
        self.entries: list[SqlRow] = []
        self.bodies: list[SqlRow] = []
        self.leaves: list[bytes] = []

    def append(self, prepared: Prepared, *, t_us: int) -> tuple[Recorded, bytes]:
        """Give the entry its place; return where, and the envelope's bytes."""
        head, body = self.head, prepared.body
        env = encode_entry(
            Entry(
                seq=head.next_seq,
                event_id=prepared.event_id,
                kind=prepared.kind,
                facts_c=prepared.facts_c,
                body_c=None if body is None else body.commitment,
                prev=head.head_leaf,
                t_us=t_us,
            )
        )
        leaf = leaf_hash(env)
        self.leaves.append(leaf)
        self.entries.append(
            {
                "seq": head.next_seq,
                "event_id": prepared.event_id,
                "env": env,
                "leaf": leaf,
                "facts": prepared.facts,
                "facts_salt": prepared.facts_salt,
            }
        )
        if body is not None:
            self.bodies.append(
                {
                    "seq": head.next_seq,
                    "key_id": body.key_id,
                    "nonce": body.sealed.nonce,
                    "ciphertext": body.sealed.ciphertext,
                    "key_commitment": body.sealed.key_commitment,
                    "salt": body.salt,
                }
            )
        self.head = replace(
            head,
            next_seq=head.next_seq + 1,
            head_leaf=leaf,
            frontier=head.frontier.push(leaf),
            standing_epoch=head.standing_epoch + prepared.touches_standing,
            last_t_us=t_us,
        )
        return Recorded(seq=head.next_seq, event_id=prepared.event_id, t_us=t_us), env

    def mark(self) -> Mark:
        """Return the present state."""
        return Mark(head=self.head, entries=len(self.entries), bodies=len(self.bodies))

    def rewind(self, mark: Mark) -> None:
        """Forget everything after `mark`."""
        self.head = mark.head
        del self.entries[mark.entries :]
        del self.leaves[mark.entries :]
        del self.bodies[mark.bodies :]

    def write(self, connection: Connection) -> None:
        """Insert the entries and bodies and move the head, in the caller's transaction."""
        if not self.entries:
            return
        connection.execute(_ENTRY.insert(), self.entries)
        if self.bodies:
            connection.execute(_BODY.insert(), self.bodies)
        connection.execute(update(_HEAD).where(_HEAD.c.id == 1), self.head.row())
