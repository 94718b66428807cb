"""An entry of the trail as people read it: who, when, what, and old and new values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audits.estimate import Json
from governance.operations.operation import Result
from governance.storage.trail.facets import Facets, changes_of
from governance.storage.trail.reading import TrailEntry

_SHOWN_APART = frozenset({"actor", "caller", "changes", "digest", "body_key", "blobs", "model"})


class FieldChange(Result):
    """One governed field; `old` is None where the record is new, and `new` what it became."""

    record: str
    field: str
    old: str | None
    new: str


class TrailHit(Result):
    """One entry. `actor_name` is the printed name at that time; `notes` are its other facts."""

    seq: int
    t_us: int
    event_id: str
    kind: str
    actor: str
    actor_name: str
    model: str
    records: list[str]
    changes: list[FieldChange]
    notes: dict[str, Any]
    body: str


def hit_of(entry: TrailEntry, facets: Facets, actor_name: str) -> TrailHit:
    """Return the entry as people read it."""
    return TrailHit(
        seq=entry.seq,
        t_us=entry.t_us,
        event_id=entry.event_id,
        kind=entry.kind,
        actor=facets.actor,
        actor_name=actor_name,
        model=facets.model,
        records=[*facets.changed, *facets.named],
        changes=field_changes(entry.facts),
        notes={name: value for name, value in entry.facts.items() if name not in _SHOWN_APART},
        body=entry.body,
    )


def field_changes(facts: Mapping[str, Json]) -> list[FieldChange]:
    """Return every field that an act set, with what it was before."""
    found: list[FieldChange] = []
    for change in changes_of(facts):
        record = f"{change.get('table')}:{change.get('key')}"
        row, moved = change.get("row"), change.get("set")
        if isinstance(row, dict):
            found += [
                FieldChange(record=record, field=name, old=None, new=shown(value))
                for name, value in row.items()
                if name != "id"
            ]
        elif isinstance(moved, dict):
            found += [
                FieldChange(record=record, field=name, old=shown(pair[0]), new=shown(pair[1]))
                for name, pair in moved.items()
                if isinstance(pair, list) and len(pair) == 2
            ]
    return found


def shown(value: Json) -> str:
    """Return a governed value as text."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
