"""What a witness remembers: one checkpoint a log, compared and replaced in one transaction.

A witness that forgets is worse than none, because its key still counts. Every transaction begins
with BEGIN IMMEDIATE, so that two requests never compare with the same memory: otherwise the slower
one would put an older checkpoint over a newer one and roll the witness back (the race that
c2sp.org/tlog-witness describes). The rollback journal is flushed at each commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from governance.errors import GovernanceError

_BUSY_MS: Final = 10_000
_SETTINGS: Final = {"journal_mode": "delete", "synchronous": 3, "busy_timeout": _BUSY_MS}
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS seen (
    origin TEXT PRIMARY KEY NOT NULL,
    size INTEGER NOT NULL CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32),
    note BLOB NOT NULL
) STRICT
"""
# The comparison is under the lock already; the last condition is what makes a rollback impossible
# even for a fault in this program.
_PUT: Final = """
INSERT INTO seen (origin, size, root, note) VALUES (:origin, :size, :root, :note)
ON CONFLICT (origin) DO UPDATE SET size = :size, root = :root, note = :note
WHERE excluded.size >= seen.size
"""


class WitnessStoreFailed(GovernanceError):
    """The witness cannot remember, so it cosigns nothing."""

    code = "witness.store_failed"
    http_status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The last cosigned checkpoint of a log; `note` holds the log's and our signatures."""

    size: int
    root: bytes
    note: bytes


class Slot:
    """The memory of one log, held exclusively."""

    def __init__(self, connection: sqlite3.Connection, origin: str) -> None:
        self._connection = connection
        self._origin = origin
        self.last = _read(connection, origin)

    def put(self, seen: Seen) -> None:
        """Remember a newer checkpoint; it stands when the block ends."""
        values = {"origin": self._origin, "size": seen.size, "root": seen.root, "note": seen.note}
        if self._connection.execute(_PUT, values).rowcount != 1:
            raise WitnessStoreFailed(
                "a witness never goes back", next_step="This is a fault in the program: report it."
            )


class SeenStore:
    """The file. Every call opens it anew, so threads and processes may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _told(), self._opened() as connection:
            connection.execute(_TABLE)

    def seen(self, origin: str) -> Seen | None:
        """Return what was remembered of the log last."""
        with _told(), self._opened() as connection:
            return _read(connection, origin)

    @contextmanager
    def exclusive(self, origin: str) -> Iterator[Slot]:
        """Hold the memory of a log for the length of the block; it is durable when it ends."""
        with _told(), self._opened() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Slot(connection, origin)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            for name, value in _SETTINGS.items():
                connection.execute(f"PRAGMA {name} = {value}")
                if connection.execute(f"PRAGMA {name}").fetchone() != (value,):
                    raise sqlite3.OperationalError(f"PRAGMA {name} is not {value}")
            yield connection


def _read(connection: sqlite3.Connection, origin: str) -> Seen | None:
    query = "SELECT size, root, note FROM seen WHERE origin = ?"
    row = connection.execute(query, (origin,)).fetchone()
    return None if row is None else Seen(size=row[0], root=row[1], note=row[2])


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise WitnessStoreFailed(
            f"the witness's database cannot be used: {error}",
            next_step="Check the disk and the folder's permissions; never replace it by an empty "
            "one while the key is trusted.",
        ) from error
