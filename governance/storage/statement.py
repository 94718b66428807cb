"""A statement straight to the driver, for the few that every batch runs.

The toolkit's way to a statement costs ten times the statement itself where that is one row on a
warm page. Errors come out as the toolkit's own, so nobody needs to know which way was taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import Connection, Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import DBAPIError, ResourceClosedError

if TYPE_CHECKING:
    from psycopg import Cursor as PostgresqlCursor

SqlValue: TypeAlias = str | bytes | int | bool | None


def run(connection: Connection, statement: str, values: Sequence[SqlValue] = ()) -> DBAPICursor:
    """Execute `statement`, its values marked `?`, in the open transaction; return the cursor."""
    dialect = connection.dialect
    if dialect.name == "postgresql":
        statement = _marked(statement)
    cursor = _driver(connection).cursor()
    try:
        cursor.execute(statement, values)
    except dialect.loaded_dbapi.Error as error:
        raise _translated(dialect, statement, error) from error
    return cursor


@contextmanager
def transaction(connection: Connection, begin: str | None) -> Iterator[None]:
    """Run the block in one transaction, which the driver begins and ends.

    `begin` is None where the driver begins by itself, with the first statement. The toolkit joins
    where the block asks it for something (`engine`), and then ends what it believes it began.
    """
    if begin is not None:
        run(connection, begin)
    try:
        yield
    except BaseException:
        _end(connection, "ROLLBACK")
        raise
    _end(connection, "COMMIT")


def _end(connection: Connection, how: str) -> None:
    commits = how == "COMMIT"
    if connection.in_transaction():
        (connection.commit if commits else connection.rollback)()
        return
    driver, dialect = _driver(connection), connection.dialect
    try:
        (driver.commit if commits else driver.rollback)()
    except dialect.loaded_dbapi.Error as error:
        raise _translated(dialect, how, error) from error


def _driver(connection: Connection) -> DBAPIConnection:
    driver = connection.connection.dbapi_connection
    if driver is None:
        raise ResourceClosedError("the connection was dropped")
    return driver


def copy_in(
    connection: Connection,
    statement: str,
    types: Sequence[str],
    rows: Iterable[Sequence[SqlValue]],
) -> None:
    """Send `rows` to a binary COPY … FROM STDIN of PostgreSQL, in the open transaction."""
    dialect = connection.dialect
    cursor: PostgresqlCursor[object] = connection.connection.cursor()  # type: ignore[assignment]
    try:
        with cursor.copy(statement) as copying:
            copying.set_types(types)
            for row in rows:
                copying.write_row(row)
    except dialect.loaded_dbapi.Error as error:
        raise _translated(dialect, statement, error) from error


def _translated(dialect: Dialect, statement: str, error: Exception) -> Exception:
    """Return the toolkit's error in the place of the driver's, without the values."""
    return DBAPIError.instance(
        statement,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        dialect=dialect,
    )


@cache
def _marked(statement: str) -> str:
    return statement.replace("?", "%s")
