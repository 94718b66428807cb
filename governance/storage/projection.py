"""The fold: facts of entries become governed rows.

An act's facts hold its changes as data:

    {"table": t, "key": id, "op": "insert", "row": {column: value, …}}
    {"table": t, "key": id, "op": "update", "set": {column: [old, new], …}}

`apply_changes` is the only code that gives them meaning. The pen calls it with the database as
the target, the rebuild check with dictionaries, so a row and its reconstruction cannot be computed
in two ways. A row is never deleted; an update states the old values and fails where they moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Final, Protocol, TypeAlias, cast

from governance.errors import Conflict
from governance.ledger.core import canonical
from governance.ledger.core.canonical import Json
from governance.ledger.core.errors import LedgerTampered
from governance.registry.records import RECORD_TYPES, Record

Value: TypeAlias = str | int | bool | None

RECORDS: Final[Mapping[str, type[Record]]] = {kind.TABLE: kind for kind in RECORD_TYPES}
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    kind.TABLE: tuple(field.name for field in fields(kind)) for kind in RECORD_TYPES
}

# What `standing` is computed from: a change here makes in-flight answers decide again (P1, P11).
STANDING_TABLES: Final = frozenset({"release", "hold", "version", "document"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert:
    """A new row, at its place: entry number and position among the entry's changes."""

    table: str
    key: str
    row: Mapping[str, Value]
    seq: int
    pos: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """New values for columns of a row, with the values that they replace."""

    table: str
    key: str
    old: Mapping[str, Value]
    new: Mapping[str, Value]
    seq: int


class Target(Protocol):
    """What changes are applied to."""

    def insert(self, change: Insert) -> None:
        """Add the row; raise where the key exists."""
        ...

    def update(self, change: Update) -> None:
        """Replace the values; raise where the row or its old values are not there."""
        ...


def plain(value: Value) -> Value:
    """Return the value as a database and a canonical document hold it: no enumeration."""
    return str(value) if isinstance(value, str) else value


def values_of(record: Record) -> dict[str, Value]:
    """Return a record's fields as facts hold them."""
    return {name: plain(getattr(record, name)) for name in COLUMNS[record.TABLE]}


def changes_of(add: Sequence[Record], replace: Sequence[tuple[Record, Record]]) -> list[Json]:
    """Return the changes that add and replace records, in this order."""
    changes: list[Json] = [
        {"table": record.TABLE, "key": str(record.id), "op": "insert", "row": _json(record)}
        for record in add
    ]
    for old, new in replace:
        if type(old) is not type(new) or old.id != new.id:
            raise RuntimeError(f"{old.TABLE} {old.id} cannot become {new.TABLE} {new.id}")
        before, after = values_of(old), values_of(new)
        moved: dict[str, Json] = {
            name: [before[name], after[name]] for name in before if before[name] != after[name]
        }
        changes.append({"table": old.TABLE, "key": str(old.id), "op": "update", "set": moved})
    return changes


def changes_digest(changes: list[Json]) -> str:
    """Return the SHA-256 of the canonical changes, what an act's facts call `digest`."""
    return sha256(canonical.dumps(changes)).hexdigest()


def touches_standing(changes: Iterable[Json]) -> bool:
    """Return whether a change may alter the standing of a model."""
    return any(isinstance(c, dict) and c.get("table") in STANDING_TABLES for c in changes)


def apply_changes(changes: Json, target: Target, *, seq: int) -> None:
    """Apply the changes of entry `seq` to `target`; raise LedgerTampered for another shape."""
    if not isinstance(changes, list):
        raise LedgerTampered("its changes are not a list", sequence=seq)
    for pos, change in enumerate(changes):
        match change:
            case {"table": str(table), "key": str(key), "op": "insert", "row": dict(row)} if (
                row.get("id") == key and set(row) == set(COLUMNS.get(table, ()))
            ):
                values = {name: _value(value, seq) for name, value in row.items()}
                target.insert(Insert(table=table, key=key, row=values, seq=seq, pos=pos))
            case {"table": str(table), "key": str(key), "op": "update", "set": dict(moved)} if (
                set(moved) < set(COLUMNS.get(table, ())) and "id" not in moved
            ):
                pairs = {name: _pair(value, seq) for name, value in moved.items()}
                target.update(
                    Update(
                        table=table,
                        key=key,
                        old={name: pair[0] for name, pair in pairs.items()},
                        new={name: pair[1] for name, pair in pairs.items()},
                        seq=seq,
                    )
                )
            case _:
                raise LedgerTampered(f"its change {pos} has no known form", sequence=seq)


def moved(table: str, key: str, what: str) -> Conflict:
    """Return the refusal of a change to a row that is not as it was read."""
    return Conflict(
        f"{table} {key} {what}",
        next_step="Read it again and decide on what it says now.",
    )


def _json(record: Record) -> dict[str, Json]:
    return cast("dict[str, Json]", values_of(record))


def _value(value: Json, seq: int) -> Value:
    if isinstance(value, list | dict):
        raise LedgerTampered("a column's value is not a plain value", sequence=seq)
    return value


def _pair(value: Json, seq: int) -> tuple[Value, Value]:
    if not isinstance(value, list) or len(value) != 2:
        raise LedgerTampered("an update is not a pair of old and new", sequence=seq)
    return _value(value[0], seq), _value(value[1], seq)
