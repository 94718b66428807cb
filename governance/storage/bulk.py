"""Many rows in few statements.

A driver's executemany steps once a row, and each step gives up the interpreter lock; with many
waiting threads the pen then waits its turn a hundred times a batch. A statement of up to 64 rows
steps once. The counts are powers of four, so that a handful of texts stays prepared.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Final, TypeAlias

from sqlalchemy import Connection, Table

SqlValue: TypeAlias = str | bytes | int | bool | None
SqlRow: TypeAlias = tuple[SqlValue, ...]

_COUNTS: Final = (64, 16, 4, 1)


def insert_rows(connection: Connection, table: Table, rows: Sequence[SqlRow]) -> None:
    """Insert rows that name every column of the table, in its order."""
    at = 0
    for count in _COUNTS:
        while len(rows) - at >= count:
            values = tuple(chain.from_iterable(rows[at : at + count]))
            connection.exec_driver_sql(_statement(table, connection.dialect.name, count), values)
            at += count


@cache
def _statement(table: Table, dialect: str, count: int) -> str:
    mark = "%s" if dialect == "postgresql" else "?"
    names = ", ".join(column.name for column in table.columns)
    row = "(" + ", ".join(mark for _ in table.columns) + ")"
    return f"INSERT INTO {table.name} ({names}) VALUES " + ", ".join([row] * count)  # noqa: S608
