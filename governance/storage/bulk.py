"""Many rows in few statements.

A driver's executemany steps once a row, and each step gives up the interpreter lock; with many
waiting threads the pen then waits its turn a hundred times a batch. A statement of up to 64 rows
steps once; the driver keeps the texts prepared. On PostgreSQL many rows are copied, in binary.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Final, TypeAlias

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql

from governance.storage.statement import SqlValue, copy_in, run

SqlRow: TypeAlias = tuple[SqlValue, ...]

_ROWS_MAX: Final = 64

COPIED_MIN: Final = 16
"""From so many rows on PostgreSQL copies faster than it inserts; measured (docs/performance.md)."""

_COPIED_AS: Final = {"BIGINT": "int8", "INTEGER": "int4", "VARCHAR": "text", "BYTEA": "bytea"}


def insert_rows(connection: Connection, table: Table, rows: Sequence[SqlRow]) -> None:
    """Insert rows that name every column of the table, in its order."""
    if len(rows) >= COPIED_MIN and connection.dialect.name == "postgresql":
        copy_in(connection, *_copy(table), rows)
        return
    for at in range(0, len(rows), _ROWS_MAX):
        block = rows[at : at + _ROWS_MAX]
        run(connection, _statement(table, len(block)), tuple(chain.from_iterable(block)))


@cache
def _copy(table: Table) -> tuple[str, tuple[str, ...]]:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    types = tuple(_COPIED_AS[column.type.compile(dialect)] for column in table.columns)
    names = ", ".join(column.name for column in table.columns)
    return f"COPY {table.name} ({names}) FROM STDIN (FORMAT BINARY)", types


@cache
def _statement(table: Table, count: int) -> str:
    names = ", ".join(column.name for column in table.columns)
    row = "(" + ", ".join("?" for _ in table.columns) + ")"
    return f"INSERT INTO {table.name} ({names}) VALUES " + ", ".join([row] * count)  # noqa: S608
