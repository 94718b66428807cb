"""Signed notes in the database: one for each size that a process signed, whoever came first.

Several processes sign the head of the same entries. The same key signs the same bytes, so the first
note stays and the others are that note. A stored note of our size that is not over our root would
mean two histories, and is tampering (P3).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from governance.ledger.core.errors import LedgerTampered
from governance.storage.statement import run

_INSERT: Final = "INSERT INTO checkpoint (size, note) VALUES (?, ?) ON CONFLICT DO NOTHING"
_STORED: Final = "SELECT note FROM checkpoint WHERE size = ?"
_HEAD_LINES: Final = 3  # origin, size, root


def put_note(connection: Connection, size: int, note: bytes) -> None:
    """Store the note; raise LedgerTampered where another root is stored for its size."""
    if run(connection, _INSERT, (size, note.decode())).rowcount:
        return
    row = run(connection, _STORED, (size,)).fetchone()
    if row is None or _head(row[0]) != _head(note.decode()):
        raise LedgerTampered(
            f"the stored checkpoint of size {size} is not over the root of this log",
            sequence=size - 1,
        )


def _head(note: str) -> list[str]:
    return note.split("\n")[:_HEAD_LINES]
