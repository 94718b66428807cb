"""Engines for SQLite and PostgreSQL, with every setting asserted on every connection.

An acknowledged act must survive power loss (P2), so a setting that a build, a URL or a server
silently ignores is refused: SQLite answers an unknown pragma with nothing, not with an error.

A writer begins with BEGIN IMMEDIATE on SQLite: a deferred transaction reads the head before it
holds the lock, and two writers would build on one head. On PostgreSQL the writer locks the row of
`log_head`; readers there are REPEATABLE READ, which is one snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import TYPE_CHECKING, Final, cast

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url

from governance.ledger.store.cells import no_text, text_is_none
from governance.storage.errors import SettingRefused
from governance.storage.statement import run, transaction

if TYPE_CHECKING:
    from psycopg import Connection as PostgresqlConnection
    from sqlalchemy.engine.interfaces import ExceptionContext

SQLITE: Final = "sqlite"
_IMMEDIATE: Final = "BEGIN IMMEDIATE"

# FULL flushes the WAL at each commit. The committer alone moves the WAL into the database: two
# connections doing so at once is what the WAL-reset fault before SQLite 3.51.3 needs.
_PRAGMAS: Final[Mapping[str, object]] = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "secure_delete": 1,
    "trusted_schema": 0,
    "busy_timeout": 10_000,
}
_WRITER: Final[Mapping[str, object]] = {"query_only": 0, "wal_autocheckpoint": 1000}
_READER: Final[Mapping[str, object]] = {"query_only": 1, "wal_autocheckpoint": 0}

# `remote_apply` is `on` and more. Nothing weaker keeps an acknowledged commit.
_POSTGRESQL: Final[Mapping[str, tuple[str, ...]]] = {
    "synchronous_commit": ("on", "remote_apply"),
    "fsync": ("on",),
    "full_page_writes": ("on",),
}
_SESSION: Final = "SET lock_timeout = '10s'; SET TIME ZONE 'UTC'; SET client_encoding = 'UTF8'"
# A process that is stopped while it holds the head lock is cut off, and the others go on. Half the
# lock's own limit, so that whoever waits behind it gets the lock and no error.
_WRITING: Final = "SET idle_in_transaction_session_timeout = '5s'"
# A server that is gone without a word is noticed in seconds; an address may say otherwise.
_NETWORK: Final[Mapping[str, str]] = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "application_name": "vigil",
}


def writer_engine(database: str | Path) -> Engine:
    """Return an engine whose transactions take the write lock when they begin."""
    if isinstance(database, Path):
        return _sqlite(database, _WRITER, begin=_IMMEDIATE, poolclass=NullPool)
    return _postgresql(
        database, settings=_WRITING, poolclass=NullPool, isolation_level="READ COMMITTED"
    )


def writing(connection: Connection) -> AbstractContextManager[None]:
    """Run the block in one transaction of a writer's connection, with the write lock of SQLite.

    The toolkit's own way to begin and to end costs a lone answer as much as its statements.
    """
    return transaction(connection, _IMMEDIATE if connection.dialect.name == SQLITE else None)


def reader_engine(database: str | Path) -> Engine:
    """Return a pooled engine whose connections cannot write; each transaction is one snapshot."""
    if isinstance(database, Path):
        return _sqlite(database, _READER, begin="BEGIN", pool_size=8, max_overflow=56)
    engine = _postgresql(
        database,
        isolation_level="REPEATABLE READ",
        pool_size=8,
        max_overflow=56,
        pool_pre_ping=True,
    )
    return engine.execution_options(postgresql_readonly=True)


def flush_log(connection: Connection) -> None:
    """Move the whole write-ahead log of SQLite into the database file, flushed (P2).

    A flush that failed may have left a commit in memory alone, where it can be read and is lost
    with the power; a second flush of the same pages reports nothing. Written to another file they
    are new pages. Raises SettingRefused where a reader is in the way.
    """
    # Not through SQLAlchemy, which would begin a transaction and so be in its own way.
    busy, logged, moved = run(connection, "PRAGMA wal_checkpoint(FULL)").fetchone() or (1, 0, 0)
    if busy or logged != moved:
        raise SettingRefused(
            "the write-ahead log could not be moved into the database",
            next_step="Send the request again; it is recorded once.",
        )


def _sqlite(path: Path, extra: Mapping[str, object], *, begin: str, **options: object) -> Engine:
    engine = create_engine(f"sqlite:///{path}", **options)

    def connected(connection: SqliteConnection, _record: object) -> None:
        # Otherwise sqlite3 begins transactions by itself, deferred, and not before a savepoint.
        connection.isolation_level = None
        for name, value in {**_PRAGMAS, **extra}.items():
            connection.execute(f"PRAGMA {name} = {value}")
            found = connection.execute(f"PRAGMA {name}").fetchone()
            if found is None or found[0] != value:
                raise _refused(f"PRAGMA {name}", wanted=str(value), found=found and found[0])

    def begun(connection: Connection) -> None:
        driver = cast("SqliteConnection", connection.connection.dbapi_connection)
        if not driver.in_transaction:  # else `writing` began it
            run(connection, begin)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    event.listen(engine, "handle_error", _told)
    return engine


def _told(context: ExceptionContext) -> None:
    """Raise LedgerTampered where the driver meets text that is none: nothing of ours wrote it."""
    if no_text(context.original_exception):
        raise text_is_none() from context.original_exception


def postgresql_address(database: str) -> URL:
    """Return the address with our driver, and with what it does not say about the network."""
    address = make_url(database).set(drivername="postgresql+psycopg")
    return address.update_query_dict(
        {name: value for name, value in _NETWORK.items() if name not in address.query}
    )


def _postgresql(database: str, *, settings: str = "", **options: object) -> Engine:
    engine = create_engine(postgresql_address(database), **options)

    def connected(connection: PostgresqlConnection, _record: object) -> None:
        autocommit, connection.autocommit = connection.autocommit, True
        with connection.cursor() as cursor:
            cursor.execute(_SESSION)
            if settings:
                cursor.execute(settings)
            for name, allowed in _POSTGRESQL.items():
                row = cursor.execute("SELECT current_setting(%s)", (name,)).fetchone()
                if row is None or row[0] not in allowed:
                    raise _refused(name, wanted=" or ".join(allowed), found=row and row[0])
        connection.autocommit = autocommit

    event.listen(engine, "connect", connected)
    return engine


def _refused(name: str, *, wanted: str, found: object) -> SettingRefused:
    return SettingRefused(
        f"{name} is {found!r}, not {wanted}: an acknowledged act could be lost",
        next_step=f"Give the database {name} = {wanted}, then start again.",
    )
