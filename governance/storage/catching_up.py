"""What another process of the database wrote: added to our tree, a little at a time.

Only envelopes are read, and each costs one hash. That they are the envelopes of the log is seen
from the frontier: the head that the other process stored under the lock, and the tree that we grew
from what is stored, have the same peaks or the log is not what was written (P3).

A process that slept for a night has much to read. It does so before it takes the head lock, so that
nobody waits for it; under the lock only what was written meanwhile is left.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from governance.ledger.core.errors import LedgerTampered
from governance.ledger.core.record import leaf_hash
from governance.ledger.store.live import LiveLog
from governance.storage.statement import run

NEAR: Final = 4096
"""How many entries may be read while others wait for the head lock."""


class FarBehind(Exception):  # noqa: N818, RUF100
    """Too much was written since to be read under the lock: let it go and come near first."""


_NEXT: Final = "SELECT seq, env, leaf FROM entry WHERE seq >= ? AND seq < ? ORDER BY seq"
_COUNT: Final = "SELECT next_seq FROM log_head WHERE id = 1"


def add_committed(connection: Connection, live: LiveLog, *, through: int) -> None:
    """Grow the tree to `through` entries; raise LedgerTampered where one is missing or changed."""
    while (size := live.tree.size) < through:
        rows = run(connection, _NEXT, (size, min(through, size + NEAR))).fetchall()
        leaves = []
        for at, (seq, env, leaf) in enumerate(rows, start=size):
            if seq != at:
                raise LedgerTampered("entries are missing", sequence=at)
            if leaf_hash(env) != leaf:
                raise LedgerTampered("the entry is not the one whose leaf is stored", sequence=seq)
            leaves.append(bytes(leaf))
        if not leaves:
            raise LedgerTampered("entries are missing", sequence=size)
        live.extend(leaves)


def come_near(connection: Connection, live: LiveLog) -> None:
    """Add what is far behind, without any lock; the rest is added under the head lock."""
    while True:
        row = run(connection, _COUNT).fetchone()
        if row is None or row[0] - live.tree.size <= NEAR:
            return
        add_committed(connection, live, through=int(row[0]))
