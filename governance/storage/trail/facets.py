"""What an entry of the trail is found by: kind, actor, model, and the records that it is about.

A record is named "table:id", as in "version:forecasting/1". An act is about the rows that it
changes and about the records that these rows name, so the trail of a version has its release too.
An answer is about the version and the release that it rests on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from governance.ledger.core.canonical import Json

DERIVATION: Final = 1
"""Which entries are found by what: one more whenever this module derives other facets. The seal of
the index covers it, so an index that another release derived is derived again."""

ANSWERS: Final = "inference."
"""What the kinds of answers and refusals begin with."""

# Columns that name a record of a fixed table.
_NAMES: Final[Mapping[str, str]] = {
    "version": "version",
    "review": "review",
    "hold": "hold",
    "change": "change_request",
    "plan": "document",
    "evidence": "evidence",
    "dataset": "dataset",
    "monitor_run": "monitor_run",
    "person": "person",
}
# Pairs of columns that name a record together: its table, its id.
_PAIRS: Final = (("subject_type", "subject"), ("record_type", "record"))
# Facts that name a record: of an answer, and of an act that changes no governed row.
_OF_ANSWERS: Final = (("version", "version"), ("release", "release"), ("caller", "service_client"))
_OF_ACTS: Final = (
    ("person", "person"),
    ("client", "service_client"),
    ("demanded_by", "person"),
)


class Facets(NamedTuple):
    """What one entry is found by. Equal facets are one shape, of which a log has few."""

    kind: str
    actor: str
    model: str
    release: str
    reasons: tuple[str, ...]
    changed: tuple[str, ...]
    named: tuple[str, ...]

    @property
    def is_answer(self) -> bool:
        """Whether it is an answer, a refusal or what was withheld."""
        return self.kind.startswith(ANSWERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A filter; None asks for nothing. `kind` is exact, or a prefix that ends in ".*"."""

    kind: str | None = None
    actor: str | None = None
    record: str | None = None
    model: str | None = None

    def matches(self, facets: Facets) -> bool:
        """Whether an entry with these facets is wanted."""
        return (
            self.matches_kind(facets.kind)
            and self.actor in {None, facets.actor}
            and self.model in {None, facets.model}
            and (self.record is None or self.record in facets.changed + facets.named)
        )

    def matches_kind(self, kind: str) -> bool:
        """Whether an entry of this kind is wanted."""
        if self.kind is None:
            return True
        if self.kind.endswith(".*"):
            return kind.startswith(self.kind[:-1])
        return kind == self.kind


class Models:
    """Which model each record is of: the row that was inserted says it, later changes do not."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def learn(self, facets: Facets) -> None:
        """Keep what the facets of the next entry say."""
        if facets.model:
            for record in facets.changed:
                self._of.setdefault(record, facets.model)

    def of(self, facts: Mapping[str, Json], changed: tuple[str, ...]) -> str:
        """Return the model that an entry is about, or "" where it is about none."""
        told = facts.get("model")
        if isinstance(told, str):
            return told
        for change in changes_of(facts):
            row = change.get("row")
            if isinstance(row, dict) and isinstance(row.get("model"), str) and row["model"]:
                return str(row["model"])
        return next((self._of[record] for record in changed if record in self._of), "")


def facets_of(kind: str, facts: Mapping[str, Json], models: Models) -> Facets:
    """Return what an entry is found by; `models` has learned all entries before it."""
    changes = changes_of(facts)
    changed = tuple(
        dict.fromkeys(f"{change.get('table')}:{change.get('key')}" for change in changes)
    )
    reasons = facts.get("reasons")
    named = _named_by_notes(facts, _OF_ANSWERS if kind.startswith(ANSWERS) else _OF_ACTS)
    return Facets(
        kind=kind,
        actor=actor_of(facts),
        model=models.of(facts, changed),
        release=_text(facts.get("release")),
        reasons=tuple(map(str, reasons)) if isinstance(reasons, list) else (),
        changed=changed,
        named=tuple(
            dict.fromkeys(one for one in (*named, *_named_by_rows(changes)) if one not in changed)
        ),
    )


def actor_of(facts: Mapping[str, Json]) -> str:
    """Return who acted: a person, a calling system, or "" for the product itself."""
    return _text(facts.get("actor")) or _text(facts.get("caller"))


def changes_of(facts: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return the changes of an act."""
    changes = facts.get("changes")
    return [one for one in changes if isinstance(one, dict)] if isinstance(changes, list) else []


def _named_by_notes(facts: Mapping[str, Json], known: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for name, table in known:
        if _text(facts.get(name)):
            yield f"{table}:{facts[name]}"


def _named_by_rows(changes: list[dict[str, Json]]) -> Iterator[str]:
    for change in changes:
        row = change.get("row")
        if not isinstance(row, dict):
            continue
        for name, table in _NAMES.items():
            if _text(row.get(name)):
                yield f"{table}:{row[name]}"
        for kind, name in _PAIRS:
            if _text(row.get(kind)) and _text(row.get(name)):
                yield f"{row[kind]}:{row[name]}"


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
