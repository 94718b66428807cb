"""The seat of a process among those that write to one PostgreSQL database.

Two things are settled between processes, by advisory locks on a connection of their own, which the
server frees when the process ends, however it ends:

* **One key store.** What one process seals the others must be able to open and to erase, so all of
  them use one `keys` folder. A process of another folder, a copied one as well, is refused while
  any process of the first is there.
* **One cosigner.** One process takes the checkpoints to the witnesses; when it ends, the next one
  that looks takes its place. Two at once would only cost the witnesses a refusal.

Both locks are tried and never waited for. On SQLite there is one process, which leads.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sqlalchemy import Connection, Engine, NullPool, create_engine
from sqlalchemy.exc import SQLAlchemyError

from governance.errors import Conflict
from governance.home import Home
from governance.storage.engine import postgresql_address
from governance.storage.errors import audit_unavailable
from governance.storage.statement import run

_KEYS: Final = 0x56494749  # classid of the key store's lock; objid is a digest of the store
_LEADER: Final = 0x56494C45
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")

_TAKE_KEYS: Final = "SELECT pg_advisory_lock_shared(?, ?)"
_OTHER_KEYS: Final = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid = ? AND objid <> ?"
)
_LEAD: Final = "SELECT pg_try_advisory_lock(?, 0)"
_FREE: Final = "SELECT pg_advisory_unlock_all()"
# A host that vanished is noticed by the server in seconds, and its seat is free.
_SEATED: Final = (
    "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3"
)


class KeysNotShared(Conflict):
    """Another process of this database seals with another folder of keys."""

    code = "home.keys_not_shared"


class Seat:
    """See the module. Taken before the pen writes, and left at the end of the block."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._leading = False
        self._turn = threading.Lock()

    @property
    def shared(self) -> bool:
        """Whether other processes may write to the same database."""
        return not self._home.is_sqlite

    def take(self) -> None:
        """Sit down; raise KeysNotShared, or AuditUnavailable where the database is away."""
        if not self.shared:
            return
        with self._turn:
            try:
                self._sit()
            except SQLAlchemyError as error:
                self._rise()
                raise audit_unavailable("the database cannot be reached") from error

    def leads(self) -> bool:
        """Say whether this process takes the checkpoints to the witnesses; it may begin to now."""
        if not self.shared:
            return True
        with self._turn:
            try:
                connection = self._sit()
                row = None if self._leading else run(connection, _LEAD, (_LEADER,)).fetchone()
                if self._leading:
                    run(connection, "SELECT 1").fetchone()
            except SQLAlchemyError:
                self._rise()
                return False
            self._leading = self._leading or bool(row and row[0])
            return self._leading

    def leave(self) -> None:
        """Rise: both locks are free when this returns, or when the server notices."""
        with self._turn:
            if self._connection is not None:
                # Closing alone frees them when the server gets round to it, and the next in line
                # may look before; a cut connection has nothing left to free.
                with suppress(SQLAlchemyError):
                    run(self._connection, _FREE).fetchone()
            self._rise()
            if self._engine is not None:
                self._engine.dispose()

    def __enter__(self) -> Self:
        """Take it."""
        try:
            self.take()
        except BaseException:
            self.leave()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave it."""
        self.leave()

    def _sit(self) -> Connection:
        if self._connection is not None:
            return self._connection
        if self._engine is None:
            self._engine = create_engine(
                postgresql_address(str(self._home.database)),
                poolclass=NullPool,
                isolation_level="AUTOCOMMIT",
            )
        connection = self._connection = self._engine.connect()
        connection.exec_driver_sql(_SEATED)
        store = _store_id(self._home.keys_dir)
        # Ours first: of two that come at once, each sees the other, and none goes on unseen.
        run(connection, _TAKE_KEYS, (_KEYS, store)).fetchone()
        row = run(connection, _OTHER_KEYS, (_KEYS, store)).fetchone()
        if row is None or row[0]:
            self._rise()
            raise KeysNotShared(
                "another process of this database uses another folder of keys",
                next_step="Serve from the home that runs already, with another --port; a copied "
                "home would seal what the first one can neither open nor erase.",
            )
        return connection

    def _rise(self) -> None:
        self._leading = False
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.invalidate()
                connection.close()


def _store_id(keys: Path) -> int:
    """Return 31 bits that name this folder on this machine, however it is reached."""
    try:
        machine = _BOOT.read_text(encoding="ascii")
    except OSError:
        machine = socket.gethostname()
    at = keys.stat()
    digest = sha256(f"{machine}\n{at.st_dev}\n{at.st_ino}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
