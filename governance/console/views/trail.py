"""The trail as people search it: hits, each with what it changed in which record."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from governance.reports import wording

_DIGEST: Final = re.compile("[0-9a-f]{64}")

FIELDS: Final = ("since", "until", "actor", "record", "kind", "model")
"""The text fields of the search form, named as the operation names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordChange:
    """What an entry did to one record: name, old and new of each field; no old one if it is new."""

    record: str
    inserted: bool
    fields: tuple[tuple[str, str | None, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HitView:
    """One entry that was found. `named` are records that it is about and did not change."""

    seq: int
    t_us: int
    kind: str
    actor: str
    actor_name: str
    changes: tuple[RecordChange, ...]
    named: tuple[str, ...]
    notes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailView:
    """What was asked for and found; `next_page` continues it. `found` is None before a search."""

    asked: Mapping[str, str]
    answers_listed: bool
    newest_first: bool
    found: Mapping[str, Any] | None
    hits: tuple[HitView, ...]
    next_page: str | None

    @property
    def answers(self) -> list[Mapping[str, Any]]:
        """Answers that are counted and not listed."""
        counted: list[Mapping[str, Any]] = self.found["answers"] if self.found else []
        return [] if self.answers_listed else counted


def trail_view(
    asked: Mapping[str, str], *, answers: bool, newest_first: bool, found: Mapping[str, Any] | None
) -> TrailView:
    """Return the page of a search."""
    after = None if found is None else found["next_after"]
    query = {name: value for name, value in asked.items() if value}
    query |= {"answers": "yes"} if answers else {}
    query |= {} if newest_first else {"order": "oldest"}
    return TrailView(
        asked={name: asked.get(name, "") for name in FIELDS},
        answers_listed=answers,
        newest_first=newest_first,
        found=found,
        hits=tuple(hit_view(hit) for hit in found["hits"]) if found else (),
        next_page=None if after is None else f"/trail?{urlencode({**query, 'after': after})}",
    )


def hit_view(hit: Mapping[str, Any]) -> HitView:
    """Return one hit with its changes by record."""
    by_record: dict[str, list[tuple[str, str | None, str]]] = {}
    for change in hit["changes"]:
        name = change["field"]
        old = None if change["old"] is None else wording.field_text(name, change["old"])
        field = (wording.field_words(name), old, wording.field_text(name, change["new"]))
        by_record.setdefault(change["record"], []).append(field)
    return HitView(
        seq=hit["seq"],
        t_us=hit["t_us"],
        kind=hit["kind"],
        actor=hit["actor"],
        actor_name=hit["actor_name"],
        changes=tuple(
            RecordChange(
                record=record,
                inserted=all(old is None for _, old, _ in fields),
                fields=tuple(fields),
            )
            for record, fields in by_record.items()
        ),
        named=tuple(record for record in hit["records"] if record not in by_record),
        notes=tuple(
            (wording.field_words(name), note_text(value))
            for name, value in hit["notes"].items()
            if value
        ),
    )


def note_text(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return one of an entry's other facts for reading; the entry's own page has all of it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return wording.digest_text(value) if _DIGEST.fullmatch(value) else value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def ends_of(reviewed_until: Mapping[str, int]) -> list[tuple[int, list[str]]]:
    """Return up to which entry which kinds were reviewed, what is furthest behind in front."""
    ends: dict[int, list[str]] = {}
    for family, end in sorted(reviewed_until.items()):
        ends.setdefault(end, []).append(family)
    return sorted(ends.items())


def families_words(families: str) -> str:
    """Return the reviewed kinds for reading."""
    return "every kind" if families == "*" else ", ".join(families.split(" "))
