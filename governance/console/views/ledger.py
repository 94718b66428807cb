"""The ledger as people read it: head, entries, and one entry with what it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from audits.estimate import Json
from governance.console.desk import LedgerEntry, LedgerHead
from governance.reports.wording import instant_text

PAGE: Final = 50
_YEAR_9999_US: Final = 253_370_764_800_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """One entry in the list."""

    seq: int
    t_us: int
    kind: str
    actor: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPage:
    """The head with a page of entries; `older` is where the next page begins."""

    head: LedgerHead
    lines: tuple[LedgerLine, ...]
    older: int | None

    @property
    def unanchored(self) -> int:
        """Return how many entries no witness has seen (P3)."""
        return self.head.size - self.head.anchored_size

    @property
    def silent(self) -> int:
        """Return how many witnesses did not cosign last."""
        return sum(one.fault is not None for one in self.head.lags)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """A governed field with its old and new value; an inserted row has no old one."""

    column: str
    old: str | None
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """What an entry did to one row of a governed table."""

    table: str
    key: str
    inserted: bool
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """One entry. `facts` are its permanent facts without the changes, which stand beside."""

    entry: LedgerEntry
    actor: str
    changes: tuple[RowChange, ...]
    facts: Mapping[str, Json]


def ledger_page(head: LedgerHead, entries: Sequence[LedgerEntry]) -> LedgerPage:
    """Return one page of the ledger."""
    lines = tuple(
        LedgerLine(
            seq=entry.seq,
            t_us=entry.t_us,
            kind=entry.kind,
            actor=_actor(entry.facts),
            about=_about(entry.facts),
        )
        for entry in entries
    )
    older = lines[-1].seq if lines and lines[-1].seq > 0 else None
    return LedgerPage(head=head, lines=lines, older=older)


def entry_view(entry: LedgerEntry) -> EntryView:
    """Return one entry with its changes taken apart."""
    return EntryView(
        entry=entry,
        actor=_actor(entry.facts),
        changes=tuple(_row_change(change) for change in _changes(entry.facts)),
        facts={name: value for name, value in entry.facts.items() if name != "changes"},
    )


def _changes(facts: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    changes = facts.get("changes")
    return [one for one in changes if isinstance(one, dict)] if isinstance(changes, list) else []


def _row_change(change: Mapping[str, Json]) -> RowChange:
    inserted = change.get("op") == "insert"
    cells = change.get("row" if inserted else "set")
    return RowChange(
        table=str(change.get("table", "")),
        key=str(change.get("key", "")),
        inserted=inserted,
        fields=tuple(
            _field_change(column, cell, inserted=inserted)
            for column, cell in (cells.items() if isinstance(cells, dict) else ())
        ),
    )


def _field_change(column: str, cell: Json, *, inserted: bool) -> FieldChange:
    if not inserted and isinstance(cell, list) and len(cell) == 2:
        return FieldChange(column=column, old=_shown(cell[0], column), new=_shown(cell[1], column))
    return FieldChange(column=column, old=None, new=_shown(cell, column))


def _shown(value: Json, column: str) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column.endswith("_us") and isinstance(value, int) and 0 <= value < _YEAR_9999_US:
        return f"{value} ({instant_text(value, seconds=True)})"
    return str(value)


def _actor(facts: Mapping[str, Json]) -> str:
    return str(facts.get("actor") or facts.get("caller") or "the product itself")


def _about(facts: Mapping[str, Json]) -> str:
    """Return what the entry is about: the rows that it changed, or the model that answered."""
    changes = _changes(facts)
    if changes:
        first = f"{changes[0].get('table')} {changes[0].get('key')}"
        return first if len(changes) == 1 else f"{first} and {len(changes) - 1} more"
    return str(facts.get("version") or facts.get("model") or "")
