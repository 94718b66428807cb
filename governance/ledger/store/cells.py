"""What stands in a cell, before anybody computes with it.

SQLite keeps in a column whatever it is given: text where bytes were written, bytes where a number
was. Nothing of the product writes so. A cell of another type is tampering, and is found as that
and not by the error of whoever computes with it first (P3). PostgreSQL refuses such a cell itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from types import NoneType
from typing import Any, Final, TypeAlias

from sqlalchemy import Column, Connection, RowMapping, Table, text

from governance.ledger.core.errors import LedgerTampered
from governance.ledger.store.tables import EntryRow, Row

Columns: TypeAlias = "RowMapping | Mapping[str, Any]"
"""A row of entries, by name."""

# What SQLite's driver says of text that is none, which it cannot give to anybody.
_NO_TEXT: Final = "Could not decode to UTF-8"
_ENTRIES: Final = EntryRow.__tablename__
_BYTES: Final = (bytes, NoneType)
_OF_ENTRIES: Final[Mapping[str, tuple[type, ...]]] = {
    "event_id": (str,),
    "env": (bytes,),
    "leaf": (bytes,),
    "facts": (bytes,),
    "facts_salt": (bytes,),
    "key_id": (str, NoneType),
    "nonce": _BYTES,
    "ciphertext": _BYTES,
    "key_commitment": _BYTES,
    "salt": _BYTES,
    "erased_by_seq": (int, NoneType),
}
# SQLModel's string type does not say what it becomes in Python.
_STORED_AS: Final[Mapping[type, str]] = {
    bytes: "blob",
    str: "text",
    object: "text",
    int: "integer",
    bool: "integer",
}


def check_cells(connection: Connection, tables: Collection[str] | None = None) -> None:
    """Raise LedgerTampered where a cell of these tables is not of its column's type.

    Without `tables` of every one but the entries, whose readers look at each cell themselves.
    """
    if connection.dialect.name != "sqlite":
        return
    for table in Row.metadata.sorted_tables:
        if table.name != _ENTRIES if tables is None else table.name in tables:
            _check_table(connection, table)


def check_row(row: Columns) -> None:
    """Raise LedgerTampered where an entry, or the body beside it, has a cell of another type."""
    for name, types in _OF_ENTRIES.items():
        if name in row and not isinstance(row[name], types):
            raise of_another_type(f"its {name}", sequence=row.get("seq"))


def no_text(error: object) -> bool:
    """Tell whether the driver met text that is none."""
    return _NO_TEXT in str(error)


def text_is_none() -> LedgerTampered:
    """Return what is raised then: the driver does not say in which row it is."""
    return LedgerTampered("a column holds text that is no text")


def of_another_type(where: str, *, sequence: int | None = None) -> LedgerTampered:
    """Return what is raised where a cell is not of the type that is written there."""
    return LedgerTampered(f"{where} is not of the type that was written", sequence=sequence)


def _check_table(connection: Connection, table: Table) -> None:
    found = connection.execute(text(_query(table))).first()
    if found is not None:
        seq, column = found
        raise of_another_type(f"table {table.name} column {column}: it", sequence=seq)


@cache
def _query(table: Table) -> str:
    """Return the statement that finds one wrong cell: an entry's number, and the column's name."""
    wrong = {column.name: _wrong(column) for column in table.columns}
    which = " ".join(f"WHEN {condition} THEN '{name}'" for name, condition in wrong.items())
    place = next((name for name in ("seq", "created_seq") if name in table.columns), None)
    seq = f"iif(typeof({place}) = 'integer', {place}, NULL)" if place else "NULL"
    anywhere = " OR ".join(wrong.values())
    return f"SELECT {seq}, CASE {which} END FROM {table.name} WHERE {anywhere} LIMIT 1"  # noqa: S608


def _wrong(column: Column[Any]) -> str:
    right = [_STORED_AS[column.type.python_type], *(["null"] if column.nullable else [])]
    listed = ", ".join(f"'{one}'" for one in right)
    return f"typeof({column.name}) NOT IN ({listed})"
