"""A transaction that the driver begins is one with what the toolkit does inside it (P2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from governance.ledger.store.tables import BlobRow, CheckpointRow, Row
from governance.storage.engine import writer_engine, writing
from governance.storage.statement import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from governance.home import Home

_BLOB = Row.metadata.tables[BlobRow.__tablename__]
_CHECKPOINT = Row.metadata.tables[CheckpointRow.__tablename__]

_NOTE = "INSERT INTO checkpoint (size, note) VALUES (?, ?)"


@pytest.fixture
def connection(home: Home) -> Iterator[Connection]:
    engine = writer_engine(home.database)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def write(connection: Connection, size: int) -> None:
    """Write one row by the driver, and one through the toolkit in a savepoint."""
    run(connection, _NOTE, (size, "note"))
    with connection.begin_nested():
        connection.execute(
            _BLOB.insert(), {"digest": f"{size:064x}", "media_type": "text/plain", "content": b"x"}
        )


def found(connection: Connection) -> tuple[int, int]:
    with connection.begin():
        notes = select(func.count()).select_from(_CHECKPOINT).where(_CHECKPOINT.c.size > 100)
        blobs = select(func.count()).select_from(_BLOB).where(_BLOB.c.content == b"x")
        return connection.execute(notes).scalar_one(), connection.execute(blobs).scalar_one()


def test_both_ways_are_committed_together(connection: Connection) -> None:
    with writing(connection):
        write(connection, 101)
    assert found(connection) == (1, 1)
    with writing(connection):
        run(connection, _NOTE, (102, "note"))
    assert found(connection) == (2, 1)


def broken_off(connection: Connection, size: int, *, by_both: bool) -> None:
    with writing(connection):
        if by_both:
            write(connection, size)
        else:
            run(connection, _NOTE, (size, "note"))
        raise KeyError


def written_twice(connection: Connection, size: int) -> None:
    with writing(connection):
        write(connection, size)
        run(connection, _NOTE, (size, "again"))


@pytest.mark.parametrize("by_both", [True, False])
def test_what_is_broken_off_leaves_nothing_and_the_connection_goes_on(
    connection: Connection,
    by_both: bool,
) -> None:
    with pytest.raises(KeyError):
        broken_off(connection, 101, by_both=by_both)
    assert found(connection) == (0, 0)
    with writing(connection):
        write(connection, 101)
    assert found(connection) == (1, 1)


def test_a_statement_that_fails_is_the_toolkits_error_and_leaves_nothing(
    connection: Connection,
) -> None:
    with pytest.raises(DBAPIError):
        written_twice(connection, 101)
    assert found(connection) == (0, 0)


def test_a_transaction_holds_the_write_lock_of_sqlite_from_its_beginning(
    sqlite_home: Home,
) -> None:
    engine = writer_engine(sqlite_home.database)
    with engine.connect() as one, engine.connect() as other:
        run(other, "PRAGMA busy_timeout = 0")
        with writing(one), pytest.raises(DBAPIError, match="locked"), writing(other):
            pass
        with writing(other):
            write(other, 101)
    engine.dispose()
