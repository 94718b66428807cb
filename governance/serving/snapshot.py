"""The governed records that decide whether a model may answer, as one picture of one epoch.

The standing epoch moves with every act that touches a release, a hold or a version, and only
then; so a picture is good until the epoch moves, and the standing drawn from it until its
`until_us`. The committer compares both again when the answer is written (P11).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import orjson

from change_control.change.documents import DocumentState
from change_control.release.standing import Standing, StandingFacts
from change_control.release.version import VersionState
from change_control.scope import Scope
from governance.gate.market import by_market, standing_at
from governance.gate.rows import RowGate
from governance.registry import records
from governance.registry.standing import hold_of, release_of
from governance.storage.ports import Reader
from models.entry import Entry, entry_from_record

OfModel = TypeVar("OfModel", records.Release, records.Hold, records.Version, records.Document)

# Standings kept for each model: one for each scope that asks, registered purpose and market.
_KEPT_MAX = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryInUse:
    """An entry with its row checks, made once for each document digest."""

    digest: str
    entry: Entry
    rows: RowGate


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernedModel:
    """Everything on record about one model that the gate reads.

    `facts` holds, for each registered purpose, those of each market with a release for it.
    """

    name: str
    in_use: EntryInUse
    facts: Mapping[str, Mapping[str, StandingFacts]]
    nothing_released: StandingFacts
    releases: Mapping[str, records.Release]
    versions: Mapping[str, records.Version]
    _kept: dict[tuple[Scope, str, str | None], Standing] = field(default_factory=dict)

    def standing(
        self, *, scope: Scope, purpose: str, market: str | None, now_us: int
    ) -> Standing | None:
        """Return the standing for a scope, purpose and market, or None where `market` is wanting.

        It is kept, and computed again once its time is over.
        """
        key = (scope, purpose, market)
        found = self._kept.get(key)
        if found is not None and (found.until_us is None or now_us < found.until_us):
            return found
        markets = self.facts.get(purpose, {})
        found = standing_at(
            markets,
            nothing_released=self.nothing_released,
            market=market,
            scope=scope,
            now_us=now_us,
        )
        # A purpose or market that is not on record is the caller's text: it must not fill memory.
        known = purpose in self.facts and (market is None or market in markets)
        if found is not None and known and len(self._kept) < _KEPT_MAX:
            self._kept[key] = found
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The registered models at one standing epoch."""

    epoch: int
    models: Mapping[str, GovernedModel]


def read_snapshot(
    reader: Reader, *, epoch: int, known: Mapping[str, EntryInUse] | None = None
) -> Snapshot:
    """Read the picture; `known` holds entries by digest that need not be parsed again."""
    releases = _by_model(reader.find(records.Release))
    holds = _by_model(reader.find(records.Hold))
    versions = _by_model(reader.find(records.Version))
    models: dict[str, GovernedModel] = {}
    entries = [item for item in reader.find(records.Document) if item.kind == "entry"]
    for name, documents in _by_model(entries).items():
        document = _entry_document(documents)
        in_use = (known or {}).get(document.digest) or _read_entry(reader, document.digest)
        models[name] = _governed_model(
            name=name,
            in_use=in_use,
            state=DocumentState(document.state),
            releases=releases.get(name, []),
            holds=holds.get(name, []),
            versions=versions.get(name, []),
        )
    return Snapshot(epoch=epoch, models=models)


def _by_model(found: Iterable[OfModel]) -> dict[str, list[OfModel]]:
    groups: dict[str, list[OfModel]] = defaultdict(list)
    for record in found:
        groups[record.model].append(record)
    return groups


def _entry_document(documents: list[records.Document]) -> records.Document:
    """Return the entry in force, or the newest one where none is: it decides why we refuse."""
    in_force = [item for item in documents if item.state == DocumentState.IN_FORCE.value]
    return max(in_force or documents, key=lambda item: item.number)


def _read_entry(reader: Reader, digest: str) -> EntryInUse:
    entry = entry_from_record(orjson.loads(reader.blob(digest)))
    return EntryInUse(digest=digest, entry=entry, rows=RowGate(entry))


def _governed_model(
    *,
    name: str,
    in_use: EntryInUse,
    state: DocumentState,
    releases: list[records.Release],
    holds: list[records.Hold],
    versions: list[records.Version],
) -> GovernedModel:
    nothing_released = StandingFacts(
        entry=state,
        holds=tuple(hold_of(record) for record in holds),
        versions={record.id: VersionState(record.state) for record in versions},
    )
    facts = replace(nothing_released, releases=tuple(release_of(record) for record in releases))
    return GovernedModel(
        name=name,
        in_use=in_use,
        facts={
            purpose.name: by_market(facts, purpose=purpose.name)
            for purpose in in_use.entry.use.purposes
        },
        nothing_released=nothing_released,
        releases={record.id: record for record in releases},
        versions={record.id: record for record in versions},
    )
