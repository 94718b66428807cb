"""The fencing epoch on PostgreSQL: what a process knows is as old as the epoch it started under.

A process keeps things that the head lock does not guard: the schema that its program was built for,
the log's keys, the policy in force. An act that changes one of them moves the epoch in the same
transaction, and so do `vigil db upgrade` and, by hand, `vigil db fence`. A process compares the
epoch each time it has locked the head; where it moved, the process writes nothing more and has to
be started again. On SQLite, where a home has one owner, each pen takes the next epoch (ADR 0010).

Lock order: the row of `log_head` first, everything else after it. Advisory locks are only tried,
never waited for, and the key store is another database that is not asked for under the head lock
by anything that holds its lock. So writers and migrations cannot wait for each other in a ring.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, Engine, inspect

from governance.errors import NotFound
from governance.ledger.core.log_keys import KEY_EVENTS
from governance.ledger.store.cells import of_another_type
from governance.ledger.store.tables import LogHeadRow
from governance.storage.errors import Fenced
from governance.storage.statement import run

FENCING_KINDS: Final = KEY_EVENTS | {"ledger.policy_changed", "key.epoch_rotated"}
"""Kinds of entries after which every other process has to read the home again."""

_LOCKED: Final = "SELECT epoch FROM log_head WHERE id = 1 FOR UPDATE"
_READ: Final = "SELECT epoch FROM log_head WHERE id = 1"
_MOVE: Final = "UPDATE log_head SET epoch = epoch + 1 WHERE id = 1"


def epoch_at_start(engine: Engine) -> int | None:
    """Return the epoch, to be read before anything that it guards; None where there is no log."""
    with engine.connect() as connection, connection.begin():
        return _epoch(connection, _READ)


def lock_head(connection: Connection) -> bool:
    """Take the head lock before any other lock, and say whether there is a head to lock.

    On SQLite the transaction holds it already.
    """
    return _epoch(connection, _locked(connection)) is not None


def fence(engine: Engine) -> int:
    """Move the epoch, so that every process that runs now stops writing; return the new one.

    Waits for the batch that is being written. Raises NotFound where the database holds no log.
    """
    with engine.begin() as connection:
        if not lock_head(connection):
            raise NotFound(
                "the database holds no log", next_step="Check `database` in the home's vigil.toml."
            )
        move_epoch(connection)
        return _epoch(connection, _READ) or 0


def move_epoch(connection: Connection) -> None:
    """Move the epoch in the caller's transaction, which holds the head lock."""
    run(connection, _MOVE)


def fenced(*, found: int, held: int | None) -> Fenced:
    """Return the refusal of a process whose epoch is over."""
    return Fenced(
        f"this process was fenced: the log is at epoch {found}, the process began at {held}",
        next_step="Start the process again; it then reads keys, policy and schema as they are now.",
    )


def _epoch(connection: Connection, query: str) -> int | None:
    if not inspect(connection).has_table(LogHeadRow.__tablename__):
        return None
    row = run(connection, query).fetchone()
    if row is not None and type(row[0]) is not int:
        raise of_another_type("a column of log_head")
    return None if row is None else int(row[0])


def _locked(connection: Connection) -> str:
    return _LOCKED if connection.dialect.name == "postgresql" else _READ
