"""Reading tables of any size in constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, MappingResult, Select
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError

from governance.ledger.store.cells import no_text, text_is_none

ROWS: Final = 1000


@contextmanager
def streamed(
    connection: Connection, query: Select[Any], *, rows: int = ROWS
) -> Iterator[MappingResult]:
    """Give the rows of `query`, fetched `rows` at a time; the cursor ends with the block.

    On PostgreSQL this is a cursor of the server's, which a generator that somebody stops reading
    would leave open until it is collected.
    """
    with connection.execute(query.execution_options(yield_per=rows)) as result:
        yield result.mappings()


@contextmanager
def streamed_blocks(
    connection: Connection, query: Select[Any], *, rows: int = ROWS, name: str = "streamed_blocks"
) -> Iterator[Iterator[list[Sequence[Any]]]]:
    """Give the rows of `query` like `streamed`, in lists of the driver's own tuples.

    For loops over every entry of a log, where what the toolkit does for each row costs more than
    the database. The query has no parameters; of two at a time each has a `name` of its own. Errors
    come out as the toolkit's own; raises LedgerTampered where SQLite holds text that is none.
    """
    dialect, driver = connection.dialect, connection.connection
    named = {"name": name} if dialect.name == "postgresql" else {}
    fault = dialect.loaded_dbapi.Error
    try:
        with closing(driver.cursor(**named)) as cursor:
            cursor.execute(str(query.compile(dialect=dialect)))
            yield _fetched(cursor, rows)
    except fault as error:
        if no_text(error):
            raise text_is_none() from error
        raise DBAPIError.instance(
            None, None, error, fault, hide_parameters=True, dialect=dialect
        ) from error


@contextmanager
def streamed_tuples(
    connection: Connection, query: Select[Any], *, rows: int = ROWS, name: str = "streamed_tuples"
) -> Iterator[Iterator[Sequence[Any]]]:
    """Give the rows of `query` like `streamed_blocks`, one after the other."""
    with streamed_blocks(connection, query, rows=rows, name=name) as blocks:
        yield chain.from_iterable(blocks)


def _fetched(cursor: DBAPICursor, rows: int) -> Iterator[list[Sequence[Any]]]:
    while block := cursor.fetchmany(rows):
        yield list(block)
