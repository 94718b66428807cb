"""Reading tables of any size in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, MappingResult, Select

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
